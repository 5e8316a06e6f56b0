import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule, RedisUnavailableError, type Commands } from '@roost/redis';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { LimitRequest } from '../stores/rate-limit.store.js';
import { decideScripts } from '../stores/decide.lua.js';
import { RedisRateLimitStore } from '../stores/redis-rate-limit.store.js';
import { EPOCH_US, redisStoreWithClock } from '../testing.js';
import { consumeScripts } from './consume.lua.js';
import { GatheringRateLimitStore } from './gathering-rate-limit.store.js';
import { giveBackScript } from './give-back.lua.js';
import { LeasingRateLimitStore } from './leasing-rate-limit.store.js';

let server: RedisServer;
const apps: TestingModule[] = [];
const connections: Commands[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  for (let i = 0; i < 3; i++) connections.push(await connect(server.url));
});

afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await server?.stop();
});

async function connect(url: string, commandTimeoutMs = 2_000): Promise<Commands> {
  const redis = RedisModule.forRoot({ url, backend: 'redis', commandTimeoutMs });
  const app = await (await Test.createTestingModule({ imports: [redis] }).compile()).init();
  apps.push(app);
  return app.get(RedisConnections).get().backend.commands;
}

let subject = 0;
const request = (overrides: Partial<LimitRequest> = {}): LimitRequest => ({
  key: limitKey(overrides.algorithm ?? 'gcra', 'leased', `subject-${subject}`),
  algorithm: 'gcra',
  limit: 1_000_000,
  windowUs: 30 * 86_400_000_000,
  cost: 1,
  lease: true,
  ...overrides,
});

/** Stores of several processes on one Redis, all by one clock that stands still unless it is told to go on. */
class Fleet {
  ms = 0;
  readonly leased: number[] = [];
  readonly stores: LeasingRateLimitStore[] = [];
  #setClock: (us: number) => void | Promise<void>;

  constructor(commands: readonly Commands[], processes = commands.length) {
    // One clock for all: the key of the first.
    let variant = { clock: '', keepMs: 0 };
    const first = redisStoreWithClock(commands[0]!, (store, of) => ((variant = of), store));
    this.#setClock = first.setClock;
    for (const [i, on] of commands.entries()) {
      const plain = new RedisRateLimitStore(on, decideScripts(variant));
      const gathering = new GatheringRateLimitStore(plain, on, consumeScripts(variant));
      this.leased.push(0);
      this.stores.push(
        new LeasingRateLimitStore(gathering, on, {
          processes: () => processes,
          onLeased: () => this.leased[i]!++,
          nowMs: () => this.ms,
          consume: consumeScripts(variant),
          giveBack: giveBackScript(variant),
        }),
      );
    }
  }

  async pass(ms: number): Promise<void> {
    this.ms += ms;
    await this.#setClock(EPOCH_US + this.ms * 1_000);
  }

  /** So many decisions in one turn; resolves to how many were admitted. */
  async burst(who: number, count: number, limit: LimitRequest): Promise<number> {
    const store = this.stores[who]!;
    const verdicts = await Promise.all(
      Array.from({ length: count }, () => {
        const known = store.decideNow([limit], 'consume');
        return known ? Promise.resolve(known) : store.decide([limit], 'consume');
      }),
    );
    return verdicts.filter(({ allowed }) => allowed).length;
  }

  /** A rate that makes leases worth while, for 10 ms. */
  async warmUp(who: number, perMs: number, limit: LimitRequest): Promise<number> {
    let admitted = 0;
    for (let i = 0; i < 10; i++) {
      await this.pass(1);
      admitted += await this.burst(who, perMs, limit);
    }
    return admitted;
  }

  async left(limit: LimitRequest): Promise<number> {
    return (await this.stores[0]!.decide([limit], 'peek')).limits[0]!.remaining;
  }

  close(): Promise<unknown> {
    return Promise.all(this.stores.map((store) => store.close()));
  }
}

/** The same commands, but for how scripts run. */
function withRun(on: Commands, run: Commands['run']): Commands {
  const [read, readBytes, write, pipeline] = [
    on.read.bind(on),
    on.readBytes.bind(on),
    on.write.bind(on),
    on.pipeline.bind(on),
  ];
  return { read, readBytes, write, pipeline, run };
}

const scriptCalls = async () => (await server.commandStats()).evalsha?.calls ?? 0;

describe('LeasingRateLimitStore', () => {
  beforeEach(() => void subject++);

  it('spends many units per call once a key is hot, and gives back what is left', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    const asked = await fleet.warmUp(0, 50, request());
    expect(asked).toBe(500);
    const before = await scriptCalls();
    let admitted = 0;
    for (let i = 0; i < 100; i++) admitted += await fleet.burst(0, 2, request());
    expect(admitted).toBe(200);
    expect(await scriptCalls()).toBeLessThanOrEqual(before + 2);
    expect(fleet.leased[0]).toBeGreaterThan(190);
    await fleet.close();
    expect(await fleet.left(request())).toBe(1_000_000 - 700);
  });

  it('tells what remains, one less each time', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    await fleet.warmUp(0, 50, request());
    const remaining: number[] = [];
    for (let i = 0; i < 20; i++) {
      const verdict = await fleet.stores[0]!.decide([request()], 'consume');
      remaining.push(verdict.limits[0]!.remaining);
      expect(verdict.limits[0]).toMatchObject({ allowed: true, retryAfterMs: 0, blocked: false });
    }
    expect(remaining).toEqual(Array.from({ length: 20 }, (_, i) => 1_000_000 - 501 - i));
    await fleet.close();
  });

  it('asks for each where it is not worth while: cold keys, small limits, and other requests', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    await fleet.warmUp(0, 50, request());
    const asks = async (...limits: LimitRequest[]) => {
      const before = fleet.leased[0];
      await fleet.stores[0]!.decide(limits, 'consume');
      return fleet.leased[0] === before;
    };
    await fleet.burst(0, 1, request());
    expect(await asks(request())).toBe(false);
    expect(await asks(request({ lease: false }))).toBe(true);
    expect(await asks(request({ hold: { id: 'h', expiresMs: null } }))).toBe(true);
    expect(await asks(request(), request({ algorithm: 'fixed-window' }))).toBe(true);
    subject++;
    expect(await asks(request())).toBe(true);
    const before = fleet.leased[0];
    await fleet.warmUp(0, 50, request({ limit: 70 }));
    expect(fleet.leased[0]).toBe(before);
    await fleet.close();
  });

  describe.each(['gcra', 'fixed-window'] as const)('56: %s, three processes and a limit of 100', (algorithm) => {
    const load = async (fleet: Fleet, limit: LimitRequest, stop: () => Promise<void>) => {
      let admitted = 0;
      for (let i = 0; i < 6; i++) {
        await fleet.pass(1);
        for (const who of [0, 1, 2]) admitted += await fleet.burst(who, 2, limit);
      }
      admitted += await fleet.burst(2, 1, limit); // the last holds a few
      await stop();
      for (let i = 0; i < 30; i++) for (const who of [0, 1]) admitted += await fleet.burst(who, 3, limit);
      await fleet.close();
      return admitted;
    };

    it('what a process held that stops is used by the others', async () => {
      const limit = request({ algorithm, limit: 100 });
      const fleet = new Fleet(connections);
      const admitted = await load(fleet, limit, () => fleet.stores[2]!.close());
      expect(fleet.leased[0]! + fleet.leased[1]! + fleet.leased[2]!).toBeGreaterThan(0);
      expect(admitted).toBe(100);
    });

    it('what a process held that died is missing until the limit regains it', async () => {
      const limit = request({ algorithm, limit: 100 });
      const [one, two, on] = connections as [Commands, Commands, Commands];
      let dead = false;
      const mortal = withRun(on, (...call) => (dead ? Promise.reject(new Error('dead')) : on.run(...call)));
      const fleet = new Fleet([one, two, mortal]);
      const admitted = await load(fleet, limit, () => {
        dead = true;
        return Promise.resolve();
      });
      expect(admitted).toBeLessThan(100);
      expect(admitted).toBeGreaterThanOrEqual(95);
      dead = false;
      await fleet.pass(30 * 86_400_000);
      expect(await fleet.left(limit)).toBe(100);
    });
  });

  it('gives back when a lease ends although nobody asks any more', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    await fleet.warmUp(0, 50, request());
    await fleet.burst(0, 1, request());
    expect(await fleet.left(request())).toBeLessThan(1_000_000 - 600);
    await fleet.pass(21);
    const left = () => fleet.left(request());
    await eventually(async () => expect(await left()).toBe(1_000_000 - 501), { within: 2_000 }); // the timer is a real one
    await fleet.close();
  });

  it('55: gives back outside of the request that took a lease', async () => {
    const requests = new AsyncLocalStorage<object>();
    const on = connections[0]!;
    const seen: unknown[] = [];
    const heard = withRun(on, (script, ...rest) => {
      if (script.name === 'rate.give-back') seen.push(requests.getStore());
      return on.run(script, ...rest);
    });
    const fleet = new Fleet([heard]);
    await requests.run({}, () => fleet.warmUp(0, 50, request()));
    await requests.run({}, () => fleet.burst(0, 1, request()));
    await fleet.pass(21);
    await eventually(() => seen.length > 0, { within: 2_000 });
    expect(seen).toEqual([undefined]);
    await fleet.close();
  });

  it('a reset takes away what is leased here', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    await fleet.warmUp(0, 50, request());
    await fleet.burst(0, 1, request());
    await fleet.stores[0]!.reset([request().key]);
    const before = fleet.leased[0];
    await fleet.close();
    expect(await fleet.burst(0, 1, request())).toBe(1);
    expect(fleet.leased[0]).toBe(before);
    expect(await fleet.left(request())).toBe(999_999);
  });

  it('a changed quota ends a lease', async () => {
    const fleet = new Fleet(connections.slice(0, 1));
    await fleet.warmUp(0, 50, request());
    await fleet.burst(0, 1, request());
    const before = fleet.leased[0];
    const changed = request({ limit: 2_000_000 });
    expect(fleet.stores[0]!.decideNow([changed], 'consume')).toBeUndefined();
    await fleet.burst(0, 1, changed);
    expect(fleet.leased[0]).toBe(before);
    await fleet.close();
  });

  it('refuses by the plain way, and admits exactly what is left', async () => {
    const limit = request({ limit: 400, algorithm: 'fixed-window' });
    const fleet = new Fleet(connections.slice(0, 1), 1);
    const admitted = (await fleet.warmUp(0, 30, limit)) + (await fleet.burst(0, 200, limit));
    expect(admitted).toBe(400);
    const [refused] = (await fleet.stores[0]!.decide([limit], 'consume')).limits;
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused!.retryAfterMs).toBeGreaterThan(3_000_000);
    await fleet.close();
  });

  it('serves those that waited, however long the answer took', async () => {
    const on = connections[0]!;
    let fleet: Fleet | undefined = undefined;
    const slow = withRun(on, async (script, ...rest) => {
      const reply = await on.run(script, ...rest);
      if (script.name === 'rate.consume-many') await fleet!.pass(30);
      return reply;
    });
    fleet = new Fleet([slow]);
    await fleet.warmUp(0, 50, request());
    for (let i = 0; i < 5; i++) expect(await fleet.burst(0, 10, request())).toBe(10);
    await fleet.close();
  });

  it('48: when the answer is lost all that waited are told so, and are not charged again', async () => {
    const proxy = await FaultProxy.start({ target: server });
    try {
      const fleet = new Fleet([await connect(proxy.url, 300)]);
      await fleet.warmUp(0, 50, request());
      const before = await fleet.left(request());
      await proxy.dropReplies({ thenReset: true, once: true, to: 'evalsha' });
      const settled = await Promise.allSettled(
        Array.from({ length: 300 }, () => fleet.stores[0]!.decide([request()], 'consume')),
      );
      const failed = settled.filter(({ status }) => status === 'rejected');
      expect(failed.length).toBeGreaterThan(0);
      expect(failed[0]).toMatchObject({ reason: expect.any(RedisUnavailableError) });
      const left = await eventually(() => fleet.left(request()), { within: 5_000 });
      expect(before - left).toBe(300);
      await fleet.close();
    } finally {
      await proxy.stop();
    }
  });
});
