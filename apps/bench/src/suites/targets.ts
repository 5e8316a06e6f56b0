/** A promise about speed: so many times as fast as another contestant in the same rounds of the same scenario. */
export interface Target {
  readonly title: string;
  readonly scenario: string;
  readonly contestant: string;
  /** Those that it is held against: the best of them. */
  readonly rivals: readonly string[];
  /** @default operations per second */
  readonly measure?: 'p99';
  readonly atLeast: number;
}

const roost = 'Roost RateLimiter';
const memory = 'Roost RateLimiter, memory';
const onRedis = ['nest-lab storage', 'rate-limiter-flexible'];
const guard = 'Roost guard, Redis';

/** What a limiter and a cached route have to reach, each by the suite `rate-limit` or `http`. */
export const targets: readonly Target[] = [
  {
    title: 'alone, against raw EVALSHA',
    scenario: '1 key, 1 at once',
    contestant: roost,
    rivals: ['raw EVALSHA'],
    atLeast: 0.95,
  },
  { title: 'hot key', scenario: '1 key, 64 at once', contestant: roost, rivals: onRedis, atLeast: 5 },
  { title: '10 000 keys', scenario: '10 000 keys, 64 at once', contestant: roost, rivals: onRedis, atLeast: 2.5 },
  {
    title: '10 000 keys, p99 against the plain client',
    scenario: '10 000 keys, 64 at once',
    contestant: roost,
    rivals: ['raw EVALSHA'],
    measure: 'p99',
    atLeast: 1,
  },
  {
    title: '99 % blocked',
    scenario: '99 % blocked, 64 at once',
    contestant: roost,
    rivals: [...onRedis, 'rate-limiter-flexible, inMemoryBlockOnConsumed'],
    atLeast: 4,
  },
  {
    title: 'hot key with leases',
    scenario: '1 key, leases, 64 at once',
    contestant: 'Roost RateLimiter, leases',
    rivals: onRedis,
    atLeast: 20,
  },
  {
    title: 'three policies, 1 key',
    scenario: '3 limits, 1 key, 64 at once',
    contestant: roost,
    rivals: ['nest-lab storage'],
    atLeast: 2.5,
  },
  {
    title: 'three policies, 10 000 keys',
    scenario: '3 limits, 10 000 keys, 64 at once',
    contestant: roost,
    rivals: ['nest-lab storage'],
    atLeast: 2.5,
  },
  ...['1 key', '10 000 keys'].map((keys) => ({
    title: `a counter in PostgreSQL, ${keys}`,
    scenario: `${keys}, 64 at once, against a table`,
    contestant: roost,
    rivals: ['Postgres counter'],
    atLeast: 5,
  })),
  ...['1 key', '10 000 keys'].map((keys) => ({
    title: `in memory, ${keys}`,
    scenario: `memory, ${keys}`,
    contestant: memory,
    rivals: ['rate-limiter-flexible, memory'],
    atLeast: 0.5,
  })),
  {
    title: 'route on Fastify',
    scenario: 'Fastify, admitted',
    contestant: guard,
    rivals: ['no limiter'],
    atLeast: 0.78,
  },
  {
    title: 'route on Express',
    scenario: 'Express, admitted',
    contestant: guard,
    rivals: ['no limiter'],
    atLeast: 0.92,
  },
  ...['Fastify', 'Express'].map((adapter) => ({
    title: `blocked subjects on ${adapter}`,
    scenario: `${adapter}, attack`,
    contestant: guard,
    rivals: ['no limiter'],
    atLeast: 0.95,
  })),
  {
    title: 'cached route on Fastify',
    scenario: 'Fastify, cached',
    contestant: 'Roost @CacheResponse',
    rivals: ['bare route'],
    atLeast: 0.75,
  },
];
