import { defineKey, type Key, type KeyDefinition } from '@roost/redis';

/** A value: the envelope of `values/envelope.ts`. Tracked by the server. */
const entryKey = defineKey('cache:{space}:e:{key}', { ttl: '732d', maxBytes: 10_240, slot: 'key' });
/** Who loads the value: the tags it saw, and a token. Not tracked. */
const leaseKey = defineKey('cache:{space}:l:{key}', { ttl: '3s', maxBytes: 40, slot: 'key' });
/** The version of a tag: the time of its last invalidation, in µs. Tracked. */
const tagKey = defineKey('cache:{space}:t:{tag}', { ttl: '1464d', maxBytes: 16, slot: 'tag' });
/** The version of everything in the space. Tracked. */
const generationKey = defineKey('cache:{space}:t:of:all', { ttl: '1464d', maxBytes: 16 });
/** There while a process hears of changes only from those who make them. Tracked. */
const listenersKey = defineKey('cache:{space}:t:of:listeners', { ttl: '1m', maxBytes: 1 });
/** Written to see whether the server tells of it. */
const probeKey = defineKey('cache:{space}:t:of:probe:{instance}', { ttl: '1s', maxBytes: 1 });
/** The run of the server that wrote what is there. Not tracked. */
const runKey = defineKey('cache:{space}:s:run', { ttl: '180d', maxBytes: 40 });

/** Every kind of key of this lib. */
export const cacheKeys: readonly KeyDefinition<never>[] = [
  entryKey,
  leaseKey,
  tagKey,
  generationKey,
  listenersKey,
  probeKey,
  runKey,
];

/** Where a value is kept, and who loads it; both in one hash slot. */
export class Slot {
  readonly entry: Key;
  #lease: Key | undefined;

  constructor(private readonly parts: { readonly space: string; readonly key: string }) {
    this.entry = entryKey.of(parts);
  }

  get lease(): Key {
    return (this.#lease ??= leaseKey.of(this.parts));
  }
}

/** Keys are asked for again and again: what they are called is remembered of so many. */
const MOST_REMEMBERED = 4_096;

/** The keys of one cache: those of another space never meet them. */
export class CacheKeys {
  readonly generation: Key;
  readonly run: Key;
  readonly listeners: Key;
  /** What the names of values, and of tags, begin with. */
  readonly prefixes: { readonly entries: string; readonly tags: string };
  readonly #slots = new Map<string, Slot>();

  /** @param space namespace, version and database. */
  constructor(readonly space: string) {
    this.generation = generationKey.of({ space });
    this.run = runKey.of({ space });
    this.listeners = listenersKey.of({ space });
    const encoded = this.run.name.slice('cache:'.length, -':s:run'.length);
    this.prefixes = { entries: `cache:${encoded}:e:`, tags: `cache:${encoded}:t:` };
  }

  slot(key: string): Slot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = new Slot({ space: this.space, key });
      if (key.length > 256) return slot;
      if (this.#slots.size >= MOST_REMEMBERED) this.#slots.clear();
      this.#slots.set(key, slot);
    }
    return slot;
  }

  tag(tag: string): Key {
    return tagKey.of({ space: this.space, tag });
  }

  probe(instance: string): Key {
    return probeKey.of({ space: this.space, instance });
  }
}
