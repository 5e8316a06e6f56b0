import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { flagKeyOf } from '../session.keys.js';
import type { ValueStore } from '../values/value.store.js';
import { atOnce, type Vector } from './vector.js';

/** A store of values under test. */
export interface OpenedValueStore {
  readonly store: ValueStore;
  /** Lets time go by for it. */
  pass(ms: number): void | Promise<void>;
  close(): void | Promise<void>;
}

/** What a store of values must do. */
export const valueVectors: readonly Vector<OpenedValueStore>[] = [
  {
    name: 'case 86: of twenty who take it one gets it; reading it takes nothing',
    async check({ store }) {
      const key = newKey();
      await store.set(key, 'once', 60_000);
      for (let i = 0; i < 3; i++) assert.equal((await store.get(key))?.value, 'once');
      const taken = await atOnce(20, () => store.take(key));
      assert.deepEqual(
        taken.filter((value) => value !== undefined),
        ['once'],
      );
      assert.equal(await store.get(key), undefined);
    },
  },
  {
    name: 'ends in its time, which begins anew when it is set again',
    async check({ store, pass }) {
      const [key, again] = [newKey(), newKey()];
      await store.set(key, '1', 60_000);
      await store.set(again, '1', 60_000);
      await pass(40_000);
      const left = (await store.get(key))!.leftMs;
      assert.ok(left > 10_000 && left <= 20_000);
      await store.set(again, '2', 60_000);
      await pass(20_000);
      assert.equal(await store.get(key), undefined);
      assert.equal(await store.take(key), undefined);
      assert.equal((await store.get(again))?.value, '2');
    },
  },
  {
    name: 'deletes, and says whether there was anything',
    async check({ store }) {
      const key = newKey();
      assert.equal(await store.delete(key), false);
      await store.set(key, '', 60_000);
      assert.equal((await store.get(key))?.value, '');
      assert.equal(await store.delete(key), true);
      assert.equal(await store.get(key), undefined);
    },
  },
];

function newKey() {
  return flagKeyOf(randomBytes(16).toString('base64url'), 'test');
}
