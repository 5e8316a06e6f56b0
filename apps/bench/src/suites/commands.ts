import type { Suite } from './suite.js';

const contestants = [
  'Roost',
  'Roost, process.nextTick',
  'Roost, uncorked',
  'ioredis',
  'ioredis, corked',
  'ioredis, enableAutoPipelining',
] as const;

/** What corking the socket gains, and whether it should end with the tick or the turn of the event loop (decision 5). */
export const commands: Suite = {
  name: 'commands',
  about:
    'One command per operation. Roost as shipped ends a cork by `setImmediate`; the second row is the same code with `process.nextTick`, the third without a cork; ioredis corked in the same way shows what the rest of Roost costs. EVALSHA is the smallest counter script, on 10 000 keys; GET fetches 200 bytes; under HTTP, a bare `node:http` server does one EVALSHA per request.',
  comparisons: [
    {
      contestants,
      baseline: 'ioredis',
      scenarios: [
        { title: 'EVALSHA, 1 at once', work: 'evalsha', concurrency: 1 },
        { title: 'EVALSHA, 64 at once', work: 'evalsha', concurrency: 64 },
        { title: 'EVALSHA, 512 at once', work: 'evalsha', concurrency: 512 },
        { title: 'GET 200 B, 64 at once', work: 'get', concurrency: 64 },
        { title: 'HTTP, 64 connections', work: 'http', concurrency: 64, clients: 1 },
      ],
    },
  ],
};
