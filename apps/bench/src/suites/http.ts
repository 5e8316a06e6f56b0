import { ATTACKERS, MANY_KEYS, STRICT } from '../contestant.js';
import type { Suite } from './suite.js';

const bare = 'no limiter';
const nestLab = 'ThrottlerGuard + nest-lab';

/** What a limiter costs a route of NestJS 12 on Fastify. */
export const http: Suite = {
  name: 'http',
  about:
    'NestJS 12 on Fastify, one route that answers 200 bytes, 64 connections. Admitted: 10 000 clients below their limit. Attack: 20 clients that have used up their 10 requests an hour; exactly 200 requests may pass before, and none while it is measured. Client CPU is that of the application.',
  comparisons: [
    {
      contestants: [bare, 'Roost guard, Redis', nestLab, 'Roost guard, memory', 'ThrottlerGuard, memory'],
      baseline: bare,
      local: [bare, 'Roost guard, memory', 'ThrottlerGuard, memory'],
      scenarios: [
        { title: 'admitted', work: 'admitted', concurrency: 64, clients: MANY_KEYS },
        {
          title: 'attack',
          work: 'attack',
          concurrency: 64,
          clients: ATTACKERS,
          admits: ATTACKERS * STRICT,
          without: bare,
          baseline: nestLab,
        },
      ],
    },
  ],
};
