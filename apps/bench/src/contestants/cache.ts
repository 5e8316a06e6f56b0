import type { Contestant, Opened, Task } from '../contestant.js';
import { itemsOf, type Item } from './cache-items.js';

/** What every cache of the suite `cache` can do. What is not there may be undefined or null. */
export interface Cacher {
  get(key: string): Promise<Item | null | undefined> | Item | undefined;
  set(key: string, value: Item): unknown;
  /** The value, loaded when there is none; left out by what has no Redis. */
  getOrSet?(key: string, load: () => Promise<Item>): Promise<Item>;
  /** In the order of the keys; left out by what has no Redis. */
  getMany?(keys: string[]): Promise<readonly (Item | null | undefined)[]>;
  /** Whether it hands out the very object that was set, which anybody may change. */
  readonly unprotected?: true;
  close(): Promise<unknown> | void;
}

/** What a cache is opened with. */
export interface CacheTask {
  readonly redisUrl: string;
  /** Whether it keeps values in this process, too; else in Redis alone. */
  readonly near: boolean;
  /** How long values live. */
  readonly ttlMs: number;
}

/** How long what is read lives, in ms: longer than any slice. */
const LONG_MS = 600_000;
/** How long what is missed and set lives: each is a new key, and Redis is not to fill up. */
const SHORT_MS = 5_000;
/** How many keys are asked for at once by `many`. */
const MANY = 100;
/** How many there are. */
const KEYS = 1_000;
/** How many are written at once before it is measured. */
const AT_ONCE = 64;

/**
 * A cache opened for `near` or `far`, what is done with it, and the size of values: `far hit 200`. One operation is a `hit`, a
 * `miss` and the set that follows it, a cold `load`, or `many` keys at once. A `burst` has no operation of its own.
 */
export function cacheContestant(open: (task: CacheTask) => Promise<Cacher>): Contestant {
  return async ({ redisUrl, work, brief }: Task): Promise<Opened> => {
    const [where = '', what = '', bytes] = work.split(' ');
    const reads = what === 'hit' || what === 'many';
    const cache = await open({ redisUrl, near: where === 'near', ttlMs: reads ? LONG_MS : SHORT_MS });
    const items = itemsOf(brief ? MANY : KEYS, Number(bytes));
    if (reads) await fill(cache, items);
    return {
      operate: operations(cache, items)[what],
      load: (key, load) => cache.getOrSet!(key, load),
      verify: () => problemOf(cache, Number(bytes)),
      close: async () => void (await cache.close()),
    };
  };
}

function operations(cache: Cacher, items: readonly Item[]): Readonly<Record<string, Opened['operate']>> {
  const keys = items.map(({ id }) => keyOf(id));
  const count = keys.length;
  const batches = keys.map((_, from) => keys.map((_key, at) => keys[(from + at) % count]!).slice(0, MANY));
  let next = 0; // loops count from 0, and each cold key is to be a new one
  return {
    async hit(index) {
      const id = index % count;
      return (await cache.get(keys[id]!))?.id === id;
    },
    async miss(index) {
      const key = `missing:${next++}`;
      const missed = (await cache.get(key)) ?? undefined;
      await cache.set(key, items[index % count]!);
      return missed === undefined;
    },
    async load(index) {
      const item = items[index % count]!;
      const loaded = await cache.getOrSet!(`cold:${next++}`, () => Promise.resolve(item));
      return loaded.id === item.id;
    },
    async many(index) {
      const found = await cache.getMany!(batches[index % count]!);
      return found.length === MANY && found.every((item, at) => item?.id === (index + at) % count);
    },
  };
}

const keyOf = (id: number) => `car:${id}`;

/** Writes all values, and reads them: some take a value into this process when it is read. */
async function fill(cache: Cacher, items: readonly Item[]): Promise<void> {
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const batch = items.slice(from, from + AT_ONCE);
    await Promise.all(batch.map((item) => cache.set(keyOf(item.id), item)));
    await Promise.all(batch.map(async (item) => cache.get(keyOf(item.id))));
  }
}

/** What was written is read again, whoever changes what he has read. */
async function problemOf(cache: Cacher, bytes: number): Promise<string | undefined> {
  const key = `verify:${process.pid}`; // several processes look at once
  const [written] = itemsOf(1, bytes) as [Item];
  const expected = JSON.stringify(written);
  if ((await cache.get(key)) != null) return 'found what nobody has written';
  await cache.set(key, written);
  for (const reader of ['first', 'second', 'third']) {
    const read = await cache.get(key);
    if (JSON.stringify(read) !== expected) return `the ${reader} reader got what was not written`;
    if (!cache.unprotected) change(read!);
  }
  const [many] = (await cache.getMany?.([key, 'nothing'])) ?? [];
  if (cache.getMany && JSON.stringify(many) !== expected) return 'getMany got what was not written';
  return undefined;
}

function change(item: Item): void {
  try {
    item.cars[0]!.price = -1;
    item.note = 'changed';
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a frozen object keeps its readers apart by refusing
  }
}
