import type { Bound } from './suite.js';
import type { Target } from './targets.js';

const contestant = 'Roost CacheService';
const rivals = ['cache-manager + @keyv/redis', 'cache-manager + ioredis-yet', 'bentocache', 'cacheable'];

const near = (size: string, against: string, held: readonly string[], atLeast: number): Target[] =>
  [1, 64].map((concurrency) => {
    const scenario = `L1 hit, ${size}, ${concurrency} at once`;
    return { title: `${scenario}, against ${against}`, scenario, contestant, rivals: held, atLeast };
  });

const far = (scenario: string, against: string, held: readonly string[], atLeast: number): Target[] =>
  ['200 B', '5 kB'].map((size) => {
    const sized = scenario.replace('#', size);
    return { title: `${sized}, against ${against}`, scenario: sized, contestant, rivals: held, atLeast };
  });

/** What the cache has to reach against others in the same rounds. */
export const cacheTargets: readonly Target[] = [
  ...near('200 B', 'lru-cache', ['lru-cache'], 0.4),
  ...near('200 B', 'its rivals', rivals, 5),
  ...near('5 kB', 'lru-cache', ['lru-cache'], 0.4),
  ...near('5 kB', 'its rivals', rivals, 20),
  ...far('L2 hit, #, 64 at once', 'raw', ['raw GET'], 2),
  ...far('L2 hit, #, 64 at once', 'its rivals', rivals, 1.8),
  ...far('miss and set, #, 64 at once', 'raw', ['raw GET'], 2),
  ...far('getMany of 100, #, 8 at once', 'its rivals', rivals, 3),
];

/** What it has to keep to. */
export const cacheBounds: readonly Bound[] = [
  {
    title: 'cold getOrSet: commands sent',
    scenario: 'cold getOrSet, 200 B, 64 at once',
    contestant,
    bound: 'at most',
    limit: 4,
    figure: 'sent',
  },
  ...[1, 4].map((processes): Bound => ({
    title: `200 callers in ${processes} process${processes === 1 ? '' : 'es'}: origin calls at worst`,
    scenario: `200 callers in ${processes} process${processes === 1 ? '' : 'es'}`,
    contestant,
    bound: 'at most',
    limit: 1,
    figure: 'originCallsWorst',
  })),
];
