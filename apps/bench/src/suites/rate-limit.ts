import type { Scenario, Suite } from './suite.js';

const threeLimits: Scenario = { title: '3 limits, 10 000 keys, 64 at once', work: 'tiers', concurrency: 64 };

/** One check of a limit per operation. */
export const rateLimit: Suite = {
  name: 'rate-limit',
  about:
    'One check per operation, all admitted; before each slice every contestant has to let exactly 10 of 50 simultaneous requests in. With three limits Roost decides all or nothing in one script, rate-limiter-flexible asks three times at once (`RateLimiterUnion`), nest-lab one after the other, as `ThrottlerGuard` does. In memory nothing is ever under way, so that more than one at once means nothing. Left out: @upstash/ratelimit 2.2, which does not run on stock Redis ("Unexpected flag in script shebang").',
  comparisons: [
    {
      contestants: ['Roost RateLimiter', 'rate-limiter-flexible', 'nest-lab storage'],
      baseline: 'rate-limiter-flexible',
      scenarios: [
        ...[1, 64, 512].map((concurrency) => ({ title: `1 key, ${concurrency} at once`, work: 'hot', concurrency })),
        ...[1, 64, 512].map((concurrency) => ({
          title: `10 000 keys, ${concurrency} at once`,
          work: 'uniform',
          concurrency,
        })),
        threeLimits,
      ],
    },
    {
      contestants: ['Roost RateLimiter, memory', 'rate-limiter-flexible, memory', '@nestjs/throttler memory'],
      baseline: 'rate-limiter-flexible, memory',
      local: ['Roost RateLimiter, memory', 'rate-limiter-flexible, memory', '@nestjs/throttler memory'],
      scenarios: [
        { title: 'memory, 1 key', work: 'hot', concurrency: 1 },
        { title: 'memory, 10 000 keys', work: 'uniform', concurrency: 1 },
        { ...threeLimits, title: 'memory, 3 limits, 10 000 keys', concurrency: 1 },
      ],
    },
  ],
};
