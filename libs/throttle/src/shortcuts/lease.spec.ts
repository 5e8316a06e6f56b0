import { Test, type TestingModule } from '@nestjs/testing';
import { defineScript, RedisConnections, RedisModule, type Commands } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import fc from 'fast-check';
import type { Quota } from '../algorithms/algorithm.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { LimitRequest } from '../stores/rate-limit.store.js';
import { EPOCH_US } from '../testing.js';
import { Batch } from './batch.js';
import { consumeScripts } from './consume.lua.js';
import { giveBackScript, type GiveBackScript } from './give-back.lua.js';
import { Lease, type Taken } from './lease.js';

type MakeLease = (limit: LimitRequest, taken: Taken) => Lease;

interface Mutation {
  readonly make?: MakeLease;
  readonly giveBack?: GiveBackScript;
}

const CLOCK = 'test-clock:leases';
const variant = { clock: `{ 0, tonumber(redis.call('GET', '${CLOCK}')) }`, keepMs: 60_000 };
const consume = consumeScripts(variant);

interface Step {
  readonly who: number;
  /** Spends are tried many times, as leases are there to be spent. */
  readonly act: 'take' | 'spend' | 'let-go' | 'give-back' | 'plain';
  readonly units: number;
  readonly served: number;
  /** Before it, and on the way there and back, in µs. */
  readonly afterUs: number;
  readonly thereUs: number;
  readonly backUs: number;
}

const steps = fc.array(
  fc.record({
    who: fc.integer({ min: 0, max: 2 }),
    act: fc.constantFrom<Step['act']>('take', 'take', 'spend', 'spend', 'let-go', 'give-back', 'plain'),
    units: fc.integer({ min: 1, max: 40 }),
    served: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10 })),
    afterUs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 25_000 })),
    thereUs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000 })),
    backUs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000 })),
  }),
  { minLength: 3, maxLength: 40 },
);

const quotas = fc.record({
  algorithm: fc.constantFrom('gcra' as const, 'fixed-window' as const),
  limit: fc.integer({ min: 10, max: 60 }),
  unitUs: fc.constantFrom(100, 400, 900, 1_000, 2_500, 9_000),
});

describe('leases of several processes', () => {
  let server: RedisServer;
  let app: TestingModule;
  let commands: Commands;
  let subject = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
    const redis = RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 });
    app = await (await Test.createTestingModule({ imports: [redis] }).compile()).init();
    commands = app.get(RedisConnections).get().backend.commands;
  });
  afterAll(async () => {
    await app?.close();
    await server?.stop();
  });

  /** Plays a schedule, and says whether more was admitted than the algorithm allows. */
  async function overAdmits(
    quota: Quota & Pick<LimitRequest, 'algorithm'>,
    schedule: readonly Step[],
    mutation: Mutation,
  ) {
    const { make = (of, taken) => new Lease(of, taken), giveBack = giveBackScript(variant) } = mutation;
    const key = limitKey(quota.algorithm, 'leased', `subject-${++subject}`);
    const limit: LimitRequest = { ...quota, key, cost: 1 };
    const held: (Lease | undefined)[] = [];
    const letGo: (readonly number[] | undefined)[] = [];
    const admitted: { us: number; units: number }[] = [];
    let us = 0;
    const pass = async (passedUs: number) => {
      us += passedUs;
      await commands.write('SET', CLOCK, EPOCH_US + us, 'PX', 3_600_000);
    };
    const demand = async (units: number, thereUs: number) => {
      await pass(thereUs);
      const batch = new Batch();
      const asked = batch.add([limit], units);
      await batch.send(commands, consume);
      return asked;
    };
    // Each process counts time from elsewhere.
    const localMs = (who: number) => us / 1_000 + who * 12_345;
    for (const { who, act, units, served: wanted, afterUs, thereUs, backUs } of schedule) {
      await pass(afterUs);
      const lease = held[who];
      if (act === 'spend') {
        for (let i = 0; i < units; i++) if (lease?.spend(1, localMs(who))) admitted.push({ us, units: 1 });
      } else if (act === 'plain') {
        const asked = await demand(units, thereUs);
        admitted.push({ us, units: asked.admitted });
      } else if (act === 'let-go') {
        held[who] = undefined;
        if (lease === undefined) continue;
        const { left, sinceUs } = lease.rest(localMs(who));
        letGo[who] = [left, sinceUs, limit.algorithm === 'gcra' ? 0 : limit.windowUs];
      } else if (act === 'give-back') {
        const args = letGo[who];
        letGo[who] = undefined;
        if (args) await commands.run(giveBack, { limit: key }, { lease: args });
      } else {
        held[who] = undefined;
        const spent = lease?.spent(localMs(who)) ?? 0;
        const askedAtMs = localMs(who);
        const { admitted: got, usedAfter: used, nowUs } = await demand(units, thereUs);
        if (got === 0) continue;
        // Some of what is taken was asked for by requests that waited for it.
        const served = Math.min(wanted, got);
        if (served > 0) admitted.push({ us, units: served });
        await pass(backUs);
        const taken = {
          units: got - served,
          spent: spent + served,
          used,
          nowUs,
          askedAtMs,
          answeredAtMs: localMs(who),
        };
        held[who] = make(limit, taken);
      }
    }
    return admitted.some((from, first) => {
      let sum = 0;
      return admitted.slice(first).some((to) => (sum += to.units) > mostBetween(limit, from.us, to.us));
    });
  }

  it('24: never admit more than the algorithm allows', () =>
    fc.assert(
      fc.asyncProperty(quotas, steps, async ({ algorithm, limit, unitUs }, schedule) => {
        expect(await overAdmits({ algorithm, limit, windowUs: unitUs * limit }, schedule, {})).toBe(false);
      }),
      { numRuns: 300 },
    ));

  describe('go red', () => {
    const step = (who: number, act: Step['act'], units = 0, times: Partial<Step> = {}): Step => {
      return { who, act, units, served: 0, afterUs: 0, thereUs: 0, backUs: 0, ...times };
    };
    const tenOfGcra = { algorithm: 'gcra', limit: 10, windowUs: 10_000 } as const;
    const twentyOfGcra = { algorithm: 'gcra', limit: 20, windowUs: 20_000 } as const;
    const tenOfWindow = { algorithm: 'fixed-window', limit: 10, windowUs: 10_000 } as const;
    const heldBack = [step(0, 'take', 10), step(0, 'spend', 10, { afterUs: 8_000 }), step(1, 'plain', 10)];
    const late = [step(0, 'take', 10, { backUs: 8_000 }), step(0, 'spend', 10), step(1, 'plain', 10)];
    const onTheWay = [
      step(0, 'take', 10),
      step(0, 'let-go'),
      step(1, 'plain', 10, { afterUs: 5_000 }),
      step(0, 'give-back'),
      step(1, 'plain', 15),
    ];
    const nextWindow = [
      step(0, 'take', 10),
      step(0, 'let-go'),
      step(1, 'plain', 10, { afterUs: 10_000 }),
      step(0, 'give-back'),
      step(1, 'plain', 10),
    ];
    const overdue = [step(0, 'take', 10), step(0, 'spend', 10, { afterUs: 10_000 }), step(1, 'plain', 10)];
    const lease = (change: (taken: Taken) => Partial<Taken>): Mutation => ({
      make: (limit, taken) => new Lease(limit, { ...taken, ...change(taken) }),
    });

    it.each([
      ['do not melt', tenOfGcra, heldBack, lease(() => ({ spent: Infinity }))],
      ['melt for less than they are held', tenOfGcra, heldBack, lease(({ spent }) => ({ spent: spent + 5 }))],
      ['count from the answer', tenOfGcra, late, lease(({ answeredAtMs }) => ({ askedAtMs: answeredAtMs }))],
      ['outlive their window', tenOfWindow, overdue, lease(({ askedAtMs }) => ({ askedAtMs: askedAtMs + 1 }))],
      ['give back what melts on the way', twentyOfGcra, onTheWay, mutated('left - (now - since)', 'left')],
      ['give back to another window', tenOfWindow, nextWindow, mutated('or math.floor(since / window) ~= current', '')],
    ])('when they %s', async (_, quota, schedule, mutation) => {
      expect(await overAdmits(quota, schedule, {})).toBe(false);
      expect(await overAdmits(quota, schedule, typeof mutation === 'function' ? mutation() : mutation)).toBe(true);
    });
  });
});

function mostBetween({ algorithm, limit, windowUs }: LimitRequest, fromUs: number, toUs: number): number {
  if (algorithm === 'gcra') return limit + Math.floor((toUs - fromUs) / (windowUs / limit));
  const windows = Math.floor((EPOCH_US + toUs) / windowUs) - Math.floor((EPOCH_US + fromUs) / windowUs) + 1;
  return limit * windows;
}

function mutated(from: string, to: string): () => Mutation {
  return () => {
    const script = giveBackScript(variant);
    expect(script.lua).toContain(from);
    const lua = script.lua.replace(from, to);
    const shape = { keys: ['limit'], args: ['lease...'], reply: script.reply, lua } as const;
    return { giveBack: { ...script, lua, sha1: defineScript(script.name, shape).sha1 } };
  };
}
