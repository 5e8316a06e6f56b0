import { ThrottlerStorageService } from '@nestjs/throttler';
import { RedisServer } from '@roost/testing';
import { RedisModule, RedisConnections, RedisReplyError, type Commands } from '@roost/redis';
import { Test, type TestingModule } from '@nestjs/testing';
import * as fc from 'fast-check';
import type { HitLimit, HitLog, HitVerdict } from './hit-log.js';
import { hitsScript } from './hits.lua.js';
import { MemoryHitLog } from './memory-hit-log.js';
import { RedisHitLog } from './redis-hit-log.js';
import { hitsKeyOf } from './throttler.keys.js';
import { ThrottlerMetrics } from './throttler.metrics.js';
import { RoostThrottlerStorage, type ThrottlerHit, type ThrottlerRecord } from './throttler.storage.js';
import type { ThrottlerSwitch } from './throttler.switch.js';

/** A log under test, with a clock that stands still unless it is set. */
interface OpenedHitLog {
  readonly log: HitLog;
  setClock(ms: number): void | Promise<void>;
}

const EPOCH_MS = 1_800_000_000_000;
const silent = { decided: () => undefined } as unknown as ThrottlerMetrics;

let server: RedisServer;
let app: TestingModule;
let commands: Commands;

beforeAll(async () => {
  server = await RedisServer.start();
  app = await Test.createTestingModule({
    imports: [RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 })],
  }).compile();
  await app.init();
  commands = app.get(RedisConnections).get().backend.commands;
});

afterAll(async () => {
  await app?.close();
  await server?.stop();
});

function openMemory(): OpenedHitLog {
  let nowMs = EPOCH_MS;
  const log = new MemoryHitLog({ maxEntries: 1_000, now: () => nowMs });
  return { log, setClock: (ms) => void (nowMs = ms) };
}

/** Forgets at every step what a key of Redis would not outlive. */
function openSwept(): OpenedHitLog {
  let nowMs = EPOCH_MS;
  const log = new MemoryHitLog({ maxEntries: 1_000, now: () => nowMs });
  return {
    log,
    setClock: (ms) => {
      nowMs = ms;
      log.sweep();
    },
  };
}

function openRedis(): OpenedHitLog {
  const clock = `test-clock:${Math.random()}`;
  const time = `(function() local t = redis.call('GET', '${clock}') + 0; return { math.floor(t / 1000), t % 1000 * 1000 } end)()`;
  const log = new RedisHitLog(commands, hitsScript({ clock: time, keepMs: 60_000 }));
  return { log, setClock: async (ms) => void (await commands.write('SET', clock, ms, 'PX', 3_600_000)) };
}

/** The storage over one log, without a switch. */
function storageOf(log: HitLog): RoostThrottlerStorage {
  const decide = async (limits: readonly HitLimit[]) => ({ source: 'redis', verdicts: await log.decide(limits) });
  return new RoostThrottlerStorage({ decide } as unknown as ThrottlerSwitch, silent);
}

/** What the reference tells and we tell otherwise: of a key that is not blocked, how long ago its last block ended. */
function told(record: ThrottlerRecord): ThrottlerRecord {
  return { ...record, timeToBlockExpire: record.isBlocked ? record.timeToBlockExpire : 0 };
}

let keys = 0;

describe.each([
  ['memory', openMemory, 300],
  ['memory, swept', openSwept, 300],
  ['redis', openRedis, 200],
] as const)('hit log: %s', (name, open, runs) => {
  let opened: OpenedHitLog;
  let storage: RoostThrottlerStorage;

  beforeEach(() => {
    opened = open();
    storage = storageOf(opened.log);
    keys++;
  });

  async function hit(seconds: number, ttl: number, limit: number, blockDuration: number, throttler = 'default') {
    await opened.setClock(EPOCH_MS + Math.round(seconds * 1_000));
    return storage.increment(`key-${keys}`, ttl, limit, blockDuration, throttler);
  }

  async function many(seconds: number, ...hits: Omit<ThrottlerHit, 'key'>[]) {
    await opened.setClock(EPOCH_MS + Math.round(seconds * 1_000));
    return storage.decideMany(hits.map((each) => ({ ...each, key: `key-${keys}-${each.throttlerName}` })));
  }

  it('27: without a block, requests pass as soon as hits expire', async () => {
    for (let second = 0; second < 10; second++) expect((await hit(second, 10_000, 10, 0)).isBlocked).toBe(false);
    expect(await hit(9.5, 10_000, 10, 0)).toEqual({
      totalHits: 11,
      timeToExpire: 1,
      isBlocked: true,
      timeToBlockExpire: 1,
    });
    expect(await hit(10, 10_000, 10, 0)).toMatchObject({ totalHits: 10, isBlocked: false, timeToBlockExpire: 0 });
  });

  it('28: a block lasts as long as it says, and is told', async () => {
    expect((await hit(0, 10_000, 1, 60_000)).isBlocked).toBe(false);
    expect(await hit(0, 10_000, 1, 60_000)).toMatchObject({ totalHits: 2, isBlocked: true, timeToBlockExpire: 60 });
    expect(await hit(59.999, 10_000, 1, 60_000)).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 });
    expect(await hit(60, 10_000, 1, 60_000)).toMatchObject({ totalHits: 1, isBlocked: false, timeToBlockExpire: 0 });
  });

  it('29: a block shorter than the ttl ends, and the hits that led to it with it', async () => {
    await hit(0, 3_000, 1, 300);
    expect(await hit(0, 3_000, 1, 300)).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 });
    expect(await hit(0.299, 3_000, 1, 300)).toMatchObject({ isBlocked: true });
    expect(await hit(0.3, 3_000, 1, 300)).toMatchObject({ totalHits: 1, isBlocked: false });
    expect(await hit(0.3, 3_000, 1, 300)).toMatchObject({ totalHits: 2, isBlocked: true });
  });

  it('30: who is blocked is not counted, and their block does not grow', async () => {
    for (let i = 0; i < 4; i++) await hit(0, 10_000, 3, 60_000);
    for (const second of [1, 5, 9.999]) {
      expect(await hit(second, 10_000, 3, 60_000)).toMatchObject({ totalHits: 4, isBlocked: true });
    }
    expect(await hit(10, 10_000, 3, 60_000)).toMatchObject({ totalHits: 0, isBlocked: true, timeToBlockExpire: 50 });
    expect(await hit(60, 10_000, 3, 60_000)).toMatchObject({ totalHits: 1, isBlocked: false });
  });

  it('31: a block of 0 is no error', async () => {
    await hit(0, 1_000, 1, 0);
    expect(await hit(0.2, 1_000, 1, 0)).toEqual({
      totalHits: 2,
      timeToExpire: 1,
      isBlocked: true,
      timeToBlockExpire: 1,
    });
  });

  it.each([[0], [-5]])('32: a ttl of %d never limits, and is no error', async (ttl) => {
    const none = { totalHits: 1, timeToExpire: 0, isBlocked: false, timeToBlockExpire: 0 };
    for (let i = 0; i < 3; i++) expect(await hit(i / 10, ttl, 1, ttl)).toEqual(none);
    for (let i = 0; i < 3; i++) expect(await hit(i / 10, ttl, 1, 5_000, 'blocking')).toEqual(none);
  });

  it('32: odd numbers are no error', async () => {
    const text = (value: string) => value as unknown as number;
    expect(await hit(0, text('1000'), text('1'), text('2000'))).toMatchObject({ totalHits: 1, timeToExpire: 1 });
    expect(await hit(0, text('1000'), text('1'), text('2000'))).toMatchObject({
      isBlocked: true,
      timeToBlockExpire: 2,
    });
    for (const limit of [NaN, Infinity, undefined as unknown as number]) {
      expect(await hit(0, 1_000, limit, 1_000, 'none')).toMatchObject({ totalHits: 1, isBlocked: false });
    }
    expect(await hit(0, NaN, 1, NaN, 'nan')).toMatchObject({ totalHits: 1, timeToExpire: 0, isBlocked: false });
    expect(await hit(0, 0.5, 1.5, 0.5, 'half')).toMatchObject({ totalHits: 1, timeToExpire: 1, isBlocked: false });
    expect(await hit(0, 0.5, 1.5, 0.5, 'half')).toMatchObject({ totalHits: 2, isBlocked: true, timeToBlockExpire: 1 });
    const longest = 366 * 86_400;
    expect(await hit(0, Infinity, 0, Infinity, 'ever')).toMatchObject({
      timeToExpire: longest,
      timeToBlockExpire: longest,
    });
  });

  it('33: throttlers of one key count and block apart', async () => {
    await hit(0, 10_000, 1, 60_000, 'one');
    expect(await hit(0, 10_000, 1, 60_000, 'one')).toMatchObject({ isBlocked: true });
    expect(await hit(0, 10_000, 2, 60_000, 'two')).toMatchObject({ totalHits: 1, isBlocked: false });
  });

  it('34: when one throttler refuses, the others count nothing', async () => {
    const short = { throttlerName: 'short', ttl: 10_000, limit: 5, blockDuration: 10_000 };
    const long = { throttlerName: 'long', ttl: 60_000, limit: 1, blockDuration: 60_000 };
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(await many(i / 1_000, short, long));
    expect(seen.map(([first]) => [first!.totalHits, first!.isBlocked])).toEqual(Array(3).fill([1, false]));
    expect(seen.map(([, second]) => second!.isBlocked)).toEqual([false, true, true]);
    expect((await many(20, short, long))[0]).toEqual({
      totalHits: 0,
      timeToExpire: 10,
      isBlocked: false,
      timeToBlockExpire: 0,
    });
  });

  it('a limit below 1 refuses always, also the first request after its block', async () => {
    for (const second of [0, 5, 10, 20]) {
      expect(await hit(second, 1_000, 0, 10_000)).toMatchObject({ isBlocked: true });
      expect(await hit(second, 1_000, 0, 0, 'without block')).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 });
    }
  });

  it('27-33: answers as the memory store of @nestjs/throttler does, whatever the schedule', async () => {
    // Blocks and ttls of few lengths, so that ends of both coincide; a ttl that changes makes hits expire out of order.
    const length = fc.constantFrom(0, 300, 999, 1_000, 1_000, 3_000, 3_000, 10_000);
    const step = fc.record({
      wait: fc.constantFrom(0, 0, 0, 1, 299, 300, 700, 1_000, 2_000, 3_000),
      ttl: length,
      limit: fc.integer({ min: 1, max: 3 }),
      block: length,
      key: fc.constantFrom('a', 'a', 'b'),
    });
    const config = {
      ttl: fc.option(length, { freq: 2 }),
      limit: fc.option(fc.integer({ min: 1, max: 3 })),
      // The reference forgets a block that ended unseen when it sweeps, and clears the hits of those without a block until
      // then: what a key sees that is blocked at times and at times not depends on the minute.
      block: name === 'memory, swept' ? length : fc.option(length),
    };
    const schedule = fc.record({ ...config, steps: fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }) });
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance', 'queueMicrotask'], now: EPOCH_MS });
    try {
      await fc.assert(
        fc.asyncProperty(schedule, async ({ steps, ...fixed }) => {
          keys++;
          jest.setSystemTime(EPOCH_MS);
          const reference = new ThrottlerStorageService();
          for (const each of steps) {
            jest.setSystemTime(Date.now() + each.wait);
            await opened.setClock(Date.now());
            const [ttl, limit, block] = [fixed.ttl ?? each.ttl, fixed.limit ?? each.limit, fixed.block ?? each.block];
            const args = [`key-${keys}-${each.key}`, ttl, limit, block, 'default'] as const;
            expect(await storage.increment(...args)).toEqual(told(await reference.increment(...args)));
          }
          reference.onApplicationShutdown();
        }),
        { numRuns: runs },
      );
    } finally {
      jest.useRealTimers();
    }
  });

  it('34: is one throttler after the other while nothing refuses, and charges nobody else when something does', async () => {
    const length = fc.constantFrom(0, 1, 300, 1_000, 3_000);
    const limit = fc.record({ ttl: length, limit: fc.integer({ min: 0, max: 3 }), blockDuration: length });
    const step = fc.record({
      wait: fc.constantFrom(0, 0, 1, 300, 999, 5_000),
      limits: fc.array(limit, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        keys++;
        const other = open();
        const alone = storageOf(other.log);
        let now = EPOCH_MS;
        for (const { wait, limits } of steps) {
          now += wait;
          await opened.setClock(now);
          await other.setClock(now);
          const hits = limits.map((each, i) => ({ ...each, throttlerName: `t${i}`, key: `many-${keys}-${i}` }));
          const together = await storage.decideMany(hits);
          const refused = together.some((record) => record!.isBlocked);
          for (const [i, record] of together.entries()) {
            if (refused && !record!.isBlocked) continue;
            const { ttl, limit: most, blockDuration, throttlerName } = hits[i]!;
            expect(await alone.increment(`alone-${keys}-${i}`, ttl, most, blockDuration, throttlerName)).toEqual(
              record,
            );
          }
        }
      }),
      { numRuns: Math.ceil(runs / 3) },
    );
  });

  it('agrees with itself about what is left alone', async () => {
    const verdicts: (readonly HitVerdict[])[] = [];
    const ask = (throttler: string, limit: number): HitLimit => ({
      key: hitsKeyOf(throttler, `v-${keys}`),
      ttlMs: 1_000,
      limit,
      blockMs: 0,
    });
    for (const second of [0, 0.4, 1.2]) {
      await opened.setClock(EPOCH_MS + second * 1_000);
      verdicts.push(await opened.log.decide([ask('a', 2), ask('b', second === 0 ? 2 : 0)]));
    }
    const [first, second, third] = verdicts.map(([verdict]) => verdict);
    expect(first).toEqual({ refused: false, hits: 1, expiresMs: 1_000, retryMs: 0, nextMs: 1_000 });
    expect(second).toEqual({ refused: false, hits: 1, expiresMs: 600, retryMs: 0, nextMs: 600 });
    expect(third).toEqual({ refused: false, hits: 0, expiresMs: null, retryMs: 0, nextMs: null });
  });
});

describe('RedisHitLog', () => {
  const limit = (name: string, overrides: Partial<HitLimit> = {}): HitLimit => ({
    key: hitsKeyOf('default', `${name}-${keys}`),
    ttlMs: 5_000,
    limit: 3,
    blockMs: 9_000,
    ...overrides,
  });
  const nameOf = ({ key }: HitLimit) => `roost:${key.name}`;
  const ttlOf = async (each: HitLimit) => Number(await server.command('PTTL', nameOf(each)));

  beforeEach(() => void keys++);

  it('45: every key expires, as soon as nothing of it matters', async () => {
    const log = new RedisHitLog(commands);
    const [plain, blocked, refused] = [
      limit('plain'),
      limit('blocked', { limit: 0 }),
      limit('none', { limit: 0, blockMs: 0 }),
    ];
    for (const each of [plain, blocked, refused]) await log.decide([each]);
    await log.decide([blocked, plain]);
    for (const [each, most] of [
      [plain, 5_000],
      [blocked, 9_000],
      [refused, 5_000],
    ] as const) {
      const ttl = await ttlOf(each);
      expect([ttl > most - 2_000, ttl <= most]).toEqual([true, true]);
    }
    expect(await log.decide([limit('gone', { ttlMs: 0 })])).toMatchObject([{ refused: false, hits: 1 }]);
    expect(await ttlOf(limit('gone'))).toBe(-2);
  });

  it('keeps at most one hit more than the limit', async () => {
    const log = new RedisHitLog(commands);
    for (let i = 0; i < 20; i++) await log.decide([limit('bounded')]);
    expect(Number(await server.command('LLEN', nameOf(limit('bounded'))))).toBe(3 + 1 + 1); // and the state
  });

  it('is one script call for all throttlers, and survives SCRIPT FLUSH', async () => {
    const log = new RedisHitLog(commands);
    const limits = ['a', 'b', 'c'].map((name) => limit(name));
    await log.decide(limits);
    const before = await server.commandStats();
    await log.decide(limits);
    const after = await server.commandStats();
    expect((after.evalsha?.calls ?? 0) - (before.evalsha?.calls ?? 0)).toBe(1);
    await server.command('SCRIPT', 'FLUSH');
    expect((await log.decide(limits)).map(({ hits }) => hits)).toEqual([3, 3, 3]);
  });

  it('57: leaves a value of somebody else alone', async () => {
    const log = new RedisHitLog(commands);
    for (const [name, ...value] of [
      ['SET', 'foreign'],
      ['RPUSH', 'one', 'two'],
    ] as const) {
      const each = limit(`foreign-${name}`);
      await server.command(name, nameOf(each), ...value);
      const before = await server.command('DUMP', nameOf(each));
      await expect(log.decide([each])).rejects.toThrow(RedisReplyError);
      expect(await server.command('DUMP', nameOf(each))).toEqual(before);
    }
  });

  it('58: keys show neither tracker nor key, are short, and do not meet', () => {
    const names = ['user-1', 'user:1', '*', 'a\nb', '}{', 'x'.repeat(1_000_000), 'ü'].flatMap((key) =>
      ['default', '', 'a:b', '1:a'].map((throttler) => hitsKeyOf(throttler, key).name),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => name.length < 100 && !name.includes('user') && name.startsWith('{rate}:'))).toBe(true);
  });

  it('removes a great many expired hits in one go', async () => {
    const { log, setClock } = openRedis();
    const each = limit('burst', { limit: 100_000, ttlMs: 1_000 });
    await setClock(EPOCH_MS);
    await log.decide([each]);
    const hits = Array.from({ length: 50_000 }, (_, i) => String(EPOCH_MS + 1_000 + Math.floor(i / 50)));
    await server.command('DEL', nameOf(each));
    for (let i = 0; i < hits.length; i += 5_000)
      await server.command('RPUSH', nameOf(each), ...hits.slice(i, i + 5_000));
    await server.command('RPUSH', nameOf(each), `${EPOCH_MS + 1_000}:0:${EPOCH_MS + 1_999}`);
    await setClock(EPOCH_MS + 1_500);
    const startedAt = performance.now();
    const [verdict] = await log.decide([each]);
    expect(verdict!.hits).toBe(50 * 499 + 1);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
