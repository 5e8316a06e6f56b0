import type { Key } from '@roost/redis';
import { CacheKeys } from './cache.keys.js';
import { Changes } from './near/changes.js';
import { NearCache } from './near/near-cache.js';
import { ServerClock } from './near/server-clock.js';
import { TagVersions } from './near/tag-versions.js';
import { Reader } from './reader.js';
import { MemoryCacheStore } from './stores/memory-cache.store.js';
import { Codecs } from './values/codecs.js';
import { writeEnvelope } from './values/envelope.js';

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
  it('does not join a read that compared its tags before one of them was invalidated', async () => {
    const changes = new Changes();
    const store = new SlowStore({ maxBytes: 1e6, onChange: (names) => changes.changed(names) });
    const keys = new CacheKeys('app');
    const clock = new ServerClock(() => store.now());
    const tags = new TagVersions(keys, store, changes);
    const near = new NearCache(1e6);
    const parts = { keys, store, near, changes, tags, clock, codecs: new Codecs(), foreignJson: false };
    const reader = new Reader({ ...parts, onDamaged: () => {} });
    changes.listen(tags, reader);
    changes.restored();
    await clock.sync();
    const entry = keys.entry('k');
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
    await store.put(entry, writeEnvelope(head, Buffer.from('"old"')), 60_000);

    const before = reader.read('k', entry);
    await new Promise(setImmediate); // its tags are being asked for
    await tags.bump(['x'], 60_000);
    const after = reader.read('k', entry);
    store.answer();
    expect((await before).held?.value()).toBe('old');
    expect((await after).held).toBeUndefined();
    expect(reader.near('k')).toBeUndefined();
  });
});
