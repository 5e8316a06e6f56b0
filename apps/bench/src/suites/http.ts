import { ATTACKERS, MANY_KEYS, STRICT } from '../contestant.js';
import type { Comparison, Scenario, Suite } from './suite.js';

const bare = 'no limiter';
const empty = 'empty guard';
const local = ['Roost guard, memory', 'ThrottlerGuard, memory'] as const;

const admitted = (adapter: string): Scenario => ({
  title: `${adapter}, admitted`,
  work: `${adapter} admitted`,
  concurrency: 64,
  clients: MANY_KEYS,
});

const attack = (adapter: string): Scenario => ({
  title: `${adapter}, attack`,
  work: `${adapter} attack`,
  concurrency: 64,
  clients: ATTACKERS,
  admits: ATTACKERS * STRICT,
  without: [empty],
  knowing: ['Roost guard, Redis'],
});

const on = (adapter: string): Comparison => ({
  contestants: [bare, empty, 'Roost guard, Redis', 'ThrottlerGuard + nest-lab', ...local],
  baseline: bare,
  local: [bare, empty, ...local],
  unlimited: [bare],
  scenarios: [admitted(adapter), attack(adapter)],
});

const uncached = ['bare route', 'empty interceptor', 'CacheInterceptor, memory'] as const;

const cached: Comparison = {
  contestants: [...uncached, 'Roost @CacheResponse', 'CacheInterceptor + @keyv/redis'],
  baseline: uncached[0],
  local: uncached,
  scenarios: [
    {
      title: 'Fastify, cached',
      work: 'Fastify cached',
      concurrency: 64,
      clients: MANY_KEYS,
      knowing: ['Roost @CacheResponse'],
    },
  ],
};

/** What a limiter costs a route of NestJS 12, and what a cache does. */
export const http: Suite = {
  name: 'http',
  about:
    'NestJS 12, one route that answers 200 bytes, 64 connections; × is the share of the bare route that is left. An empty guard is the most that any guard can keep. Admitted: 10 000 clients below their limit. Attack: 20 clients that have used up their 10 requests an hour; exactly 200 requests may pass before, and none while it is measured, save on the bare route, which answers all of them. Cached: one route whose answer is in the cache, so that an interceptor that does nothing is the most that an interceptor can keep; the handler has next to nothing to do, so that no cache gains anything. Client CPU is that of the application.',
  comparisons: [on('Fastify'), on('Express'), cached],
};
