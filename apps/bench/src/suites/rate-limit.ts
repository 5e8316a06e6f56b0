import type { Scenario, Suite } from './suite.js';

const roost = 'Roost RateLimiter';
const leases = 'Roost RateLimiter, leases';
const flexible = 'rate-limiter-flexible';
const blocking = 'rate-limiter-flexible, inMemoryBlockOnConsumed';
const nestLab = 'nest-lab storage';
const evalsha = 'raw EVALSHA';
const postgres = 'Postgres counter';
const memory = ['Roost RateLimiter, memory', 'rate-limiter-flexible, memory', '@nestjs/throttler memory'] as const;

const oneKey = (concurrency: number): Scenario => ({
  title: `1 key, ${concurrency} at once`,
  work: 'hot',
  concurrency,
});
const manyKeys = (concurrency: number): Scenario => ({
  title: `10 000 keys, ${concurrency} at once`,
  work: 'uniform',
  concurrency,
});

/** One check of a limit per operation. */
export const rateLimit: Suite = {
  name: 'rate-limit',
  postgres: true,
  about:
    'One check per operation. Before each slice every contestant has to let exactly 10 of 50 simultaneous requests in (with leases, which are opt-in, at most 1 000 of 5 000). Raw EVALSHA is the smallest counter script, raw INCR not even a limiter, both on ioredis with default settings. With three limits Roost decides all or nothing in one script, rate-limiter-flexible asks three times at once (`RateLimiterUnion`), nest-lab one after the other, as `ThrottlerGuard` does. 99 % blocked: of 10 000 subjects that come in turn 100 are far from their limit, and 9 900 have used up their one request an hour. Against a table: a counter in PostgreSQL of this machine, which is spared to wait for the disk (`fsync` off), with ten connections of `pg` and a prepared upsert. In memory nothing is ever under way, so that more than one at once means nothing. Left out: @upstash/ratelimit 2.2, which does not run on stock Redis ("Unexpected flag in script shebang").',
  comparisons: [
    {
      contestants: [roost, nestLab, flexible, 'raw INCR', evalsha, 'raw EVALSHA, enableAutoPipelining'],
      baseline: evalsha,
      scenarios: [...[1, 64, 512].map(oneKey), ...[1, 64, 512].map(manyKeys)],
    },
    {
      contestants: [leases, nestLab, flexible],
      baseline: flexible,
      scenarios: [{ ...oneKey(64), title: '1 key, leases, 64 at once', knowing: [leases] }],
    },
    {
      contestants: [roost, nestLab, flexible],
      baseline: nestLab,
      scenarios: [
        { title: '3 limits, 1 key, 64 at once', work: 'hot-tiers', concurrency: 64 },
        { title: '3 limits, 10 000 keys, 64 at once', work: 'tiers', concurrency: 64 },
      ],
    },
    {
      contestants: [roost, nestLab, flexible, blocking, evalsha],
      baseline: blocking,
      scenarios: [{ title: '99 % blocked, 64 at once', work: 'attack', concurrency: 64, knowing: [roost, blocking] }],
    },
    {
      contestants: [roost, postgres],
      baseline: postgres,
      local: [postgres],
      scenarios: [
        { ...oneKey(64), title: '1 key, 64 at once, against a table' },
        { ...manyKeys(64), title: '10 000 keys, 64 at once, against a table' },
      ],
    },
    {
      contestants: memory,
      baseline: memory[1],
      local: memory,
      scenarios: [
        { title: 'memory, 1 key', work: 'hot', concurrency: 1 },
        { title: 'memory, 10 000 keys', work: 'uniform', concurrency: 1 },
        { title: 'memory, 3 limits, 10 000 keys', work: 'tiers', concurrency: 1 },
      ],
    },
  ],
};
