import { RW_UNITS } from '@roost/lock';
import type { Workload } from './workload.js';

const TTL_MS = 1_000;

/** W1: exclusive intervals on four keys, short and long, some longer than their time to live. */
export const mutexes: Workload = async ({ locks, sections, random }) => {
  const key = `mutex:${random.between(0, 3)}`;
  // Unrenewed ones end by their deadline, at a moment when others wait.
  const renew = random.chance(0.6);
  const wait = random.chance(0.8) ? random.between(200, 3_000) : 0;
  const wish = { key, weight: 1, limit: 1, acquire: () => locks.acquire(key, { ttl: TTL_MS, wait, renew }) };
  await sections.run(wish, (section) => section.linger(random.skewed(5, 1_800)));
};

/** W1: intervals that live by many renewals. */
export const steady: Workload = async ({ locks, sections, random }) => {
  const key = `steady:${random.between(0, 1)}`;
  const wish = { key, weight: 1, limit: 1, acquire: () => locks.acquire(key, { ttl: TTL_MS, wait: 5_000 }) };
  await sections.run(wish, (section) => section.linger(random.between(1_000, 3_000)));
};

/** W4: one key, for which each process asks once at a time and waits long: first come, first served. */
export const queue: Workload = async ({ locks, sections, random }) => {
  const key = 'queue';
  const wish = { key, weight: 1, limit: 1, acquire: () => locks.acquire(key, { ttl: TTL_MS, wait: 12_000 }) };
  await sections.run(wish, (section) => section.linger(random.between(100, 400)));
};

/** W5: readers together, a writer alone; and three permits. */
export const shared: Workload = async ({ locks, sections, random }) => {
  const options = { ttl: TTL_MS, wait: random.between(500, 3_000) };
  const kind = random.pick(['read', 'read', 'read', 'write', 'permit', 'permit', 'permit'] as const);
  if (kind === 'permit') {
    const wish = {
      key: 'permits',
      weight: 1,
      limit: 3,
      acquire: () => locks.semaphore('permits', 3).acquire(1, options),
    };
    return sections.run(wish, (section) => section.linger(random.skewed(5, 800)));
  }
  const weight = kind === 'read' ? 1 : RW_UNITS;
  const wish = { key: 'book', weight, limit: RW_UNITS, acquire: () => locks.rw('book')[kind](options) };
  await sections.run(wish, (section) => section.linger(random.skewed(5, 500)));
};
