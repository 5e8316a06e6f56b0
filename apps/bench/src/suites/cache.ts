import { cacheBounds, cacheTargets } from './cache-targets.js';
import type { Comparison, Scenario, Suite } from './suite.js';

const roost = 'Roost CacheService';
const yet = 'cache-manager + ioredis-yet';
const rivals = ['cache-manager + @keyv/redis', yet, 'bentocache', 'cacheable'] as const;
const raw = 'raw GET';
const lru = 'lru-cache';
const sizes = [
  { size: '200 B', bytes: 200 },
  { size: '5 kB', bytes: 5_000 },
] as const;

const hits = (where: 'near' | 'far', at: string, concurrency: number): Scenario[] =>
  sizes.map(({ size, bytes }) => ({
    title: `${at}, ${size}, ${concurrency} at once`,
    work: `${where} hit ${bytes}`,
    concurrency,
  }));

const near = [roost, ...rivals.filter((each) => each !== yet), lru];
const inProcess: Comparison = {
  contestants: near,
  baseline: lru,
  scenarios: [1, 64]
    .flatMap((concurrency) => hits('near', 'L1 hit', concurrency))
    .map((each) => ({ ...each, knowing: near })),
};

const inRedis: Comparison = {
  contestants: [roost, ...rivals, raw],
  baseline: raw,
  scenarios: [
    ...[1, 64].flatMap((concurrency) => hits('far', 'L2 hit', concurrency)),
    ...sizes.map(({ size, bytes }) => ({
      title: `miss and set, ${size}, 64 at once`,
      work: `far miss ${bytes}`,
      concurrency: 64,
    })),
    { title: 'cold getOrSet, 200 B, 64 at once', work: 'far load 200', concurrency: 64, countsSent: true },
    ...sizes.map(({ size, bytes }) => ({
      title: `getMany of 100, ${size}, 8 at once`,
      work: `far many ${bytes}`,
      concurrency: 8,
    })),
  ],
};

/** Values in this process and in Redis. */
export const cache: Suite = {
  name: 'cache',
  about: [
    'JSON objects of 200 B and 5 kB under 1 000 keys. L1 hit: the value is in the process, × is the share of a bare lru-cache.',
    'L2 hit, miss and set, cold getOrSet, getMany: in Redis alone, × is against `GET` and `JSON.parse` on ioredis with default settings.',
    'Cold getOrSet loads a new key each time, at no cost; sent is what clients sent by MONITOR, in a load that is not timed, a script being one command.',
    'Before each slice what is read has to be what was written, three times over, though each reader changes what he got.',
    'lru-cache is spared that: it hands out the one object that was set, to be changed by anybody.',
    'Roost hands out one frozen object; cacheable and the memory that cache-manager’s README recommends copy at each hit, and bentocache parses.',
    'With ioredis-yet, which stands behind the same memory, cache-manager is not measured a second time there. @keyv/redis, which cacheable has, too, brings node-redis; all others are on ioredis; bentocache has no way to get many but one by one.',
  ].join(' '),
  comparisons: [inProcess, inRedis],
  bursts: {
    about:
      '200 callers of a key that nobody has, all at the same time, of an origin that takes 20 ms; one key after the other, memory in front of Redis (bentocache with its bus). Origin calls are per key, and served is when the last of the callers has its value, by a clock that all processes share; scripts and commands are per key, those inside scripts too. Raw does nothing against it.',
    contestants: [roost, ...rivals, raw],
    baseline: raw,
    scenarios: [
      { title: '200 callers in 1 process', callers: 200, processes: 1 },
      { title: '200 callers in 4 processes', callers: 200, processes: 4 },
    ],
  },
  promises: {
    about: 'What the cache has to reach, against the best of those it is held against in the same rounds, and keep to.',
    ratios: cacheTargets,
    bounds: cacheBounds,
  },
};
