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

/** What a session store must do; ids and users are new for each. */
export const sessionVectors: readonly Vector<OpenedSessionStore>[] = [
  {
    name: 'case 69: what ended is not saved, touched, rotated or begun again',
    async check({ store }) {
      const { id, news } = await begin(store);
      assert.equal(await store.end(id, news), 'ended');
      assert.equal(await store.save(id, changes({ late: '1' }), HOUR), 0);
      assert.equal(await store.touch(id, HOUR), 0);
      assert.equal(await store.rotate(id, rotation(newId())), false);
      assert.deepEqual(await store.create(id, draft()), { state: 'gone' });
      assert.deepEqual(await store.read(id), { state: 'none' });
      assert.equal(await store.end(id, news), 'none');
    },
  },
  {
    name: 'case 70: of parallel writers each keeps what it wrote',
    async check({ store }) {
      const { id } = await begin(store, { fields: new Map([['old', '1']]) });
      await atOnce(4, (i) => store.save(id, changes({ [`k${i}`]: String(i) }, i === 0 ? ['old'] : []), HOUR));
      const { fields, version } = await live(store, id);
      assert.deepEqual(Object.fromEntries(fields), { k0: '0', k1: '1', k2: '2', k3: '3' });
      assert.equal(version, 5);
    },
  },
  {
    name: 'holds no more than it may, with what others have written since',
    async check({ store }) {
      const { id } = await begin(store, { fields: new Map([['a', '"x"']]) });
      const most = { maxBytes: 200 }; // 32 bytes beside each text
      const write = (name: string) => store.save(id, { ...changes({ [name]: `"${'x'.repeat(60)}"` }), ...most }, HOUR);
      assert.deepEqual(
        await atOnce(3, (i) => write(`k${i}`)).then((all) => all.toSorted((x, y) => x - y)),
        [-228, -228, 2],
      );
      const { fields, version } = await live(store, id);
      assert.deepEqual([fields.size, version], [2, 2]);
      assert.equal(await store.save(id, { ...changes({}, ['a']), ...most }, HOUR), 3);
    },
  },
  {
    name: 'what is read is what was begun',
    async check({ store }) {
      const user = newId();
      const fields = new Map([
        ['v', '1'],
        ['to', '"field names of the store"'],
        ['__proto__', '{"polluted":true}'],
        ['', '"é\\u0000😀"'],
      ]);
      const { id, handle } = await begin(store, { user, label: 'a phone', fields });
      const { nowMs, leftMs, ...read } = await live(store, id);
      assert.deepEqual(new Map(read.fields), fields);
      assert.deepEqual([read.handle, read.user, read.label, read.version], [handle, user, 'a phone', 1]);
      assert.equal(read.endsAtMs - read.startedAtMs, 8 * HOUR);
      near(leftMs, HOUR / 2);
      near(nowMs, read.seenAtMs);
    },
  },
  {
    name: 'an id that is taken is given to nobody else',
    async check({ store }) {
      const { id, handle } = await begin(store);
      assert.deepEqual(await store.create(id, draft()), { state: 'clash' });
      assert.equal((await live(store, id)).handle, handle);
      const outcomes = await Promise.all([newId()].flatMap((next) => [0, 1, 2].map(() => store.create(next, draft()))));
      assert.equal(outcomes.filter(({ state }) => state === 'created').length, 1);
    },
  },
  {
    name: 'case 73: rolls on with each touch, up to its absolute end',
    async check({ store, pass }) {
      const { id } = await begin(store);
      for (let i = 0; i < 23; i++) {
        await pass(20 * MINUTE);
        near(await store.touch(id, HOUR / 2), Math.min(HOUR / 2, 8 * HOUR - (i + 1) * 20 * MINUTE));
      }
      await pass(19 * MINUTE);
      assert.ok((await store.touch(id, HOUR / 2)) <= MINUTE);
      assert.ok((await store.save(id, changes({ a: '1' }), HOUR)) > 0);
      const { leftMs } = await live(store, id);
      assert.ok(leftMs > 0 && leftMs <= MINUTE);
      await pass(MINUTE);
      assert.deepEqual(await store.read(id), { state: 'none' });
      assert.equal(await store.touch(id, HOUR), 0);
    },
  },
  {
    name: 'without a touch it ends; a save is one',
    async check({ store, pass }) {
      const [{ id }, { id: saved }] = [await begin(store), await begin(store)];
      await pass(29 * MINUTE);
      await store.save(saved, changes({}), HOUR / 2);
      await pass(2 * MINUTE);
      assert.deepEqual(await store.read(id), { state: 'none' });
      assert.equal((await live(store, saved)).version, 2);
    },
  },
  {
    name: 'gets another user, or none, by a save',
    async check({ store }) {
      const [ann, bob] = [newId(), newId()];
      const { id } = await begin(store, { user: ann });
      assert.equal(await store.save(id, { ...changes({}), user: { from: ann, to: bob } }, HOUR), 2);
      assert.equal((await live(store, id)).user, bob);
      assert.deepEqual([await store.idsOf(ann), await store.idsOf(bob)], [[], [id]]);
      assert.equal(await store.save(id, { ...changes({}), user: { from: bob, to: undefined } }, HOUR), 3);
      assert.equal((await live(store, id)).user, undefined);
      assert.deepEqual(await store.idsOf(bob), []);
    },
  },
  {
    name: 'case 79: knows the sessions of each user, and tells of each that is ended, once',
    async check({ store, news }) {
      const [ann, bob] = [newId(), newId()];
      const of = await atOnce(3, () => begin(store, { user: ann }));
      const other = await begin(store, { user: bob });
      assert.deepEqual(new Set(await store.idsOf(ann)), new Set(of.map(({ id }) => id)));
      const counted = await store.create(newId(), draft({ user: ann }));
      assert.deepEqual(counted, { state: 'created', ofUser: 4 });
      await Promise.all(of.flatMap((each) => [1, 2].map(() => store.end(each.id, each.news))));
      assert.equal((await store.idsOf(ann)).length, 1);
      assert.equal((await live(store, other.id)).user, bob);
      const told = (await news()).filter(({ user }) => user === ann);
      assert.deepEqual(new Set(told.map(({ handle }) => handle)), new Set(of.map(({ handle }) => handle)));
      assert.equal(told.length, 3);
      await store.forget(bob, [other.id]);
      assert.deepEqual(await store.idsOf(bob), []);
    },
  },
  {
    name: 'lists the sessions of a user by when they began, through every rotation',
    async check({ store }) {
      const user = newId();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.push((await begin(store, { user })).id);
      const next = newId();
      await store.rotate(ids[0]!, rotation(next, { from: user, user }));
      assert.equal((await store.idsOf(user)).length, 5);
      const startedAt = await Promise.all(
        (await store.idsOf(user)).map(async (id) => (await live(store, id)).startedAtMs),
      );
      assert.deepEqual(
        startedAt,
        startedAt.toSorted((a, b) => a - b),
      );
    },
  },
  {
    name: 'lists the ids there are',
    async check({ store }) {
      const begun = await atOnce(3, () => begin(store));
      await store.end(begun[0]!.id, begun[0]!.news);
      const ids = await store.ids();
      assert.deepEqual(
        begun.map(({ id }) => ids.includes(id)),
        [false, true, true],
      );
      assert.ok(!ids.some((id) => id.includes(':')));
    },
  },
];
