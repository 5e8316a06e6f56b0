import assert from 'node:assert/strict';
import {
  begin,
  changes,
  draft,
  HOUR,
  live,
  MINUTE,
  near,
  newId,
  rotation,
  type OpenedSessionStore,
} from './session.bench.js';
import { atOnce, type Vector } from './vector.js';

/** What a session store must do about ids that change. */
export const rotationVectors: readonly Vector<OpenedSessionStore>[] = [
  {
    name: 'case 72: a rotated id leads to the session for its grace, and no longer',
    async check({ store, pass, news }) {
      const user = newId();
      const { id, handle } = await begin(store, { user, fields: new Map([['cart', '[1]']]) });
      const next = newId();
      assert.equal(await store.rotate(id, rotation(next, { from: user, user })), true);
      assert.deepEqual(await store.read(id), { state: 'moved', to: next });
      const moved = await live(store, next);
      assert.deepEqual([moved.handle, moved.user, moved.fields.get('cart')], [handle, user, '[1]']);
      assert.deepEqual(await store.idsOf(user), [next]);
      // The former id can do nothing by itself.
      assert.equal(await store.save(id, changes({ x: '1' }), HOUR), 0);
      assert.equal(await store.touch(id, HOUR), 0);
      assert.equal(await store.rotate(id, rotation(newId(), { from: user, user })), false);
      assert.equal(await store.end(id, { id, handle, user, reason: 'ended' }), 'moved');
      await pass(10_000);
      assert.deepEqual(await store.read(id), { state: 'none' });
      assert.equal((await live(store, next)).handle, handle);
      assert.ok((await news()).some((each) => each.id === id && each.reason === 'rotated'));
    },
  },
  {
    name: 'case 71: who planted an id sees nothing of who signs in under it',
    async check({ store, pass }) {
      const user = newId();
      const { id, news } = await begin(store, { fields: new Map([['cart', '[1]']]) });
      const next = newId();
      assert.equal(await store.rotate(id, rotation(next, { user })), true);
      await store.save(next, changes({ secret: '"s"' }), HOUR);
      const planted = await live(store, id);
      assert.deepEqual([planted.user, planted.retired, [...planted.fields.keys()]], [undefined, true, ['cart']]);
      assert.equal(await store.save(id, changes({ cart: '[2]' }), HOUR), 0);
      assert.equal(await store.touch(id, HOUR), 0);
      assert.equal(await store.end(id, news), 'ended');
      assert.equal((await live(store, next)).fields.get('cart'), '[1]');
      const other = await begin(store);
      await store.rotate(other.id, rotation(newId(), { user }));
      await pass(10_000);
      assert.deepEqual(await store.read(other.id), { state: 'none' });
    },
  },
  {
    name: 'another user ends the former id, and begins the absolute lifetime anew',
    async check({ store, pass }) {
      const [ann, bob] = [newId(), newId()];
      const { id } = await begin(store, { user: ann });
      await pass(20 * MINUTE);
      const next = newId();
      assert.equal(await store.rotate(id, rotation(next, { from: ann, user: bob })), true);
      assert.deepEqual(await store.read(id), { state: 'none' });
      assert.deepEqual(await store.create(id, draft()), { state: 'gone' });
      assert.deepEqual([await store.idsOf(ann), await store.idsOf(bob)], [[], [next]]);
      const { nowMs, endsAtMs } = await live(store, next);
      near(endsAtMs - nowMs, 8 * HOUR);
      const last = newId();
      assert.equal(await store.rotate(next, rotation(last, { from: bob })), true);
      assert.equal((await live(store, last)).user, undefined);
      assert.deepEqual(await store.idsOf(bob), []);
    },
  },
  {
    name: 'of parallel rotations one succeeds',
    async check({ store }) {
      for (const user of [undefined, newId()]) {
        const { id } = await begin(store);
        const outcomes = await atOnce(10, () => store.rotate(id, rotation(newId(), { user })));
        assert.equal(outcomes.filter(Boolean).length, 1);
      }
    },
  },
  {
    name: 'retired, it can be read for its grace',
    async check({ store, pass }) {
      const { id } = await begin(store);
      assert.equal(await store.retire(id, 10_000), true);
      assert.equal(await store.retire(id, 10_000), false);
      assert.equal((await live(store, id)).retired, true);
      assert.equal(await store.save(id, changes({ a: '1' }), HOUR), 0);
      await pass(10_000);
      assert.deepEqual(await store.read(id), { state: 'none' });
    },
  },
];
