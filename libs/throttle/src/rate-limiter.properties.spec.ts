import { ConsoleLogger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlgorithmName } from './algorithms/algorithm.js';
import { algorithms } from './algorithms/verdict.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimiter } from './rate-limiter.service.js';
import { ThrottleModule } from './throttle.module.js';
import type { LimitOptions } from './throttle.options.js';

/** Those whose windows are durations, and that free what they counted by the passing of time alone. */
const TIMED = (Object.keys(algorithms) as AlgorithmName[]).filter(
  (name) => name !== 'concurrency' && name !== 'calendar',
);

async function boot(url: string | undefined, memory?: MemoryRateLimitStore): Promise<TestingModule> {
  const redis = RedisModule.forRoot(url === undefined ? {} : { url, backend: 'redis', commandTimeoutMs: 10_000 });
  const builder = Test.createTestingModule({ imports: [redis, ThrottleModule.forRoot()] });
  if (memory) builder.overrideProvider(MemoryRateLimitStore).useValue(memory);
  const app = await builder.setLogger(new ConsoleLogger({ logLevels: ['fatal'] })).compile();
  return app.init();
}

describe('who waits as long as told', () => {
  /** 2027-01-15, 8:00: windows of every length begin somewhere else. */
  let nowUs = 1_800_000_000_000_000;
  let runs = 0;
  let app: TestingModule;
  let limiter: RateLimiter;

  beforeAll(async () => {
    app = await boot(undefined, new MemoryRateLimitStore({ nowUs: () => nowUs }));
    limiter = app.get(RateLimiter);
  });
  afterAll(() => app.close());

  const limits = fc.array(
    fc.record({
      limit: fc.integer({ min: 1, max: 8 }),
      windowMs: fc.integer({ min: 1, max: 20_000 }),
      algorithm: fc.constantFrom(...TIMED),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const steps = fc.array(
    fc.record({ afterUs: fc.integer({ min: 0, max: 3_000_000 }), cost: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 1, maxLength: 20 },
  );

  it('25: passes every limit of a decision when alone, and not a millisecond earlier', () =>
    fc.assert(
      fc.asyncProperty(limits, steps, async (written, schedule) => {
        const run = runs++;
        const policies = written.map(({ windowMs, ...limit }, index): LimitOptions => {
          return { ...limit, name: `${run}.${index}`, window: `${windowMs}ms`, key: 'user' };
        });
        for (const { afterUs, cost } of schedule) {
          nowUs += afterUs;
          const { allowed, retryAfterMs } = await limiter.consume(policies, 'alone', { cost });
          if (allowed) continue;
          if (retryAfterMs === null) {
            expect(written.some(({ limit }) => cost > limit)).toBe(true);
            continue;
          }
          expect(retryAfterMs).toBeGreaterThan(0);
          nowUs += (retryAfterMs - 1) * 1_000;
          expect((await limiter.peek(policies, 'alone', { cost })).allowed).toBe(false);
          nowUs += 1_000;
          expect((await limiter.consume(policies, 'alone', { cost })).allowed).toBe(true);
        }
      }),
      { numRuns: 150 },
    ));
});

describe('on Redis', () => {
  let server: RedisServer;
  let app: TestingModule;
  let limiter: RateLimiter;

  beforeAll(async () => {
    server = await RedisServer.start();
    app = await boot(server.url);
    limiter = app.get(RateLimiter);
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterAll(async () => {
    await app?.close();
    await server?.stop();
  });

  it.each(TIMED)('25: %s, by the clock on the wall: who waits as long as told passes', async (algorithm) => {
    const policy: LimitOptions = { name: algorithm, limit: 3, window: '90ms', algorithm, key: 'user' };
    for (let refusals = 0; refusals < 5;) {
      const { allowed, retryAfterMs } = await limiter.consume(policy, 'alone');
      if (allowed) continue;
      refusals++;
      await until(performance.now() + retryAfterMs!);
      expect(await limiter.consume(policy, 'alone')).toMatchObject({ allowed: true });
    }
  });

  it('45: after all kinds of calls no key is without an expiry, and none tells a subject', async () => {
    const subjects = ['alice@example.org', '10.1.2.3', '2001:db8::7'];
    const policies = TIMED.map((algorithm): LimitOptions => ({ name: algorithm, limit: 2, window: '1h', algorithm }));
    for (const subject of subjects) {
      for (const policy of policies) {
        for (let i = 0; i < 4; i++) await limiter.consume(policy, subject);
        await limiter.peek(policy, `${subject} peeks`);
      }
      const slots: LimitOptions = { name: 'slots', limit: 2, window: '1m', algorithm: 'concurrency' };
      const days: LimitOptions = { name: 'days', limit: 2, window: 'day', algorithm: 'calendar' };
      const strict: LimitOptions = { name: 'strict', limit: 1, window: '1h', block: { after: 2, for: '1m' } };
      const leased: LimitOptions = { name: 'leased', limit: 10_000, window: '1m', lease: true };
      const shadow: LimitOptions = { name: 'trial', limit: 1, window: '1m', mode: 'shadow' };
      for (let i = 0; i < 4; i++) for (const policy of [days, strict, shadow]) await limiter.consume(policy, subject);
      await Promise.all(Array.from({ length: 200 }, () => limiter.consume(leased, subject)));
      for (const policy of [...policies, slots, days]) {
        const { commit } = await limiter.reserve(policy, `${subject} reserves`, { for: '1m' });
        await limiter.reserve(policy, `${subject} never settles`, { for: '1m' });
        await commit(2);
        if (policy !== slots) await limiter.penalize(policy, `${subject} is penalized`, 3);
        if (policy !== slots) await limiter.reward(policy, `${subject} is penalized`);
        await limiter.block(policy, `${subject} is blocked`, '1m');
      }
      await limiter.consume(policies, `${subject} at once`);
      await limiter.consume(policies, `${subject} takes nothing`, { cost: 0 });
    }
    const keys = await server.keys();
    expect(keys.length).toBeGreaterThanOrEqual(subjects.length * TIMED.length * 6);
    const ttls = await Promise.all(keys.map((key) => server.command('PTTL', key)));
    expect(keys.filter((_, i) => !(Number(ttls[i]) > 0))).toEqual([]);
    expect(keys.filter((key) => /alice|10\.1|2001|db8/.test(key))).toEqual([]);
  });
});

/** Timers may come a little early; whoever counts milliseconds may not. */
async function until(at: number): Promise<void> {
  while (performance.now() < at) await sleep(Math.min(50, Math.max(1, at - performance.now())));
}
