import type { Key } from '@roost/redis';
import { CacheKeys } from './cache.keys.js';
import { Changes } from './near/changes.js';
import { NearCache } from './near/near-cache.js';
import { ServerClock } from './near/server-clock.js';
import { TagVersions } from './near/tag-versions.js';
import { Reader } from './reader.js';
import { MemoryCacheStore } from './stores/memory-cache.store.js';
import { Codecs } from './values/codecs.js';
import { Versions, writeEnvelope } from './values/envelope.js';

/** Answers about tags as they were when it was asked, and only when it is let: as on a connection of its own. */
class SlowStore extends MemoryCacheStore {
  answer!: () => void;
  readonly #answered = new Promise<void>((resolve) => (this.answer = resolve));

  override async versions(tags: readonly Key[]): Promise<(number | undefined)[]> {
    const versions = await super.versions(tags);
    await this.#answered;
    return versions;
  }
}

describe('Reader', () => {
  let behind: boolean;
  let changes: Changes;
  let store: SlowStore;
  let tags: TagVersions;
  let reader: Reader;
  let entry: Key;

  /** Keeps a value with tag x. */
  beforeEach(async () => {
    behind = false;
    changes = new Changes(() => behind);
    store = new SlowStore({ maxBytes: 1e6, onChange: (names) => changes.changed(names) });
    const keys = new CacheKeys('app');
    const clock = new ServerClock(() => store.now());
    tags = new TagVersions(keys, store, changes);
    const parts = { keys, store, near: new NearCache(1e6), changes, tags, clock };
    const reading = { codecs: new Codecs(), shares: true };
    reader = new Reader({ ...parts, reading, foreignJson: false, onDamaged: () => {} });
    changes.listen(tags, reader);
    changes.restored();
    await clock.sync();
    const slot = keys.slot('k');
    entry = slot.entry;
    const [tag] = await store.ensure([keys.tag('x')], 60_000);
    const now = clock.now();
    const times = { freshUntil: now + 60_000, keptUntil: now + 60_000, loadedAt: now, loadMs: 1 };
    const head = {
      ...times,
      codec: 1,
      compressed: false,
      failure: false,
      tags: [{ name: 'x', version: tag!.version }],
    };
    await store.put(slot, writeEnvelope(head, Buffer.from('"old"'), new Versions()), 60_000);
  });

  it('does not join a read that compared its tags before one of them was invalidated', async () => {
    const before = reader.read('k', entry);
    await new Promise(setImmediate); // its tags are being asked for
    await tags.bump(['x'], 60_000);
    const after = reader.read('k', entry);
    store.answer();
    expect((await before).held?.value()).toBe('old');
    expect((await after).held).toBeUndefined();
    expect(reader.near('k')).toBeUndefined();
  });

  it('keeps nothing of what the store says while it has not heard of an invalidation', async () => {
    const before = reader.read('k', entry);
    behind = true; // an invalidation of x could not be told
    store.answer();
    expect((await before).held?.value()).toBe('old'); // asked for before
    expect(reader.near('k')).toBeUndefined();
    behind = false;
    await reader.read('k', entry);
    expect(reader.near('k')?.held.value()).toBe('old');
  });

  it('does not trust a value of before by tags that it asks for while the store is behind', async () => {
    store.answer();
    await reader.read('k', entry);
    expect(reader.near('k')?.held.value()).toBe('old');
    behind = true; // the invalidation of x that follows could not be told
    changes.changed([new CacheKeys('app').tag('x').name]);
    await tags.since(['x'], Infinity, 1); // by a load that began before
    expect(reader.near('k')).toBeUndefined();
  });
});
