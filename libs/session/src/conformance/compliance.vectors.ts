import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Vector } from './vector.js';

/** A store in the manner of `express-session`: callbacks, cookies, plain objects. */
export interface CompliantStore {
  get(sid: string, callback: never): void;
  set(sid: string, session: never, callback: never): void;
  destroy(sid: string, callback: never): void;
  touch?(sid: string, session: never, callback: never): void;
  all?(callback: never): void;
  length?(callback: never): void;
  clear?(callback: never): void;
}

/** A store under test. */
export interface OpenedCompliantStore {
  readonly store: CompliantStore;
  /** Lets time go by for it; absent when that cannot be done. */
  pass?(ms: number): void | Promise<void>;
  close(): void | Promise<void>;
}

interface PlainSession {
  readonly cookie: { readonly originalMaxAge: number | null; readonly expires?: Date | string | null };
  readonly [name: string]: unknown;
}

const HOUR = 3_600_000;
const newId = () => randomBytes(18).toString('base64url');

/** What a store of sessions must do for `express-session`, `@fastify/session` and whoever resembles them. */
export const complianceVectors: readonly Vector<OpenedCompliantStore>[] = [
  {
    name: 'gives back what was set, with its cookie',
    async check({ store }) {
      const { get, set } = verbs(store);
      const id = newId();
      await set(id, session({ text: 'é"\\', list: [1, { two: 2 }], none: null, yes: true, '': 'empty' }));
      const { cookie, ...data } = (await get(id))!;
      assert.deepEqual(data, { text: 'é"\\', list: [1, { two: 2 }], none: null, yes: true, '': 'empty' });
      assert.equal(cookie.originalMaxAge, HOUR);
      assert.ok(Math.abs(new Date(cookie.expires!).getTime() - Date.now() - HOUR) < 60_000);
    },
  },
  {
    name: 'knows nothing under an id that nobody set',
    async check({ store }) {
      assert.ok(!(await verbs(store).get(newId())));
    },
  },
  {
    name: 'keeps what was set last, and nothing that was left out',
    async check({ store }) {
      const { get, set } = verbs(store);
      const id = newId();
      await set(id, session({ a: 1, b: 2 }));
      await set(id, session({ b: 3, c: 4 }));
      const { cookie, ...data } = (await get(id))!;
      assert.ok(cookie);
      assert.deepEqual(data, { b: 3, c: 4 });
    },
  },
  {
    name: 'keeps sessions apart, whatever their ids look like',
    async check({ store }) {
      const { get, set, destroy } = verbs(store);
      const ids = ['a', 'a:b', '*', 'a*', '{a}', ' ', '__proto__', 'é'].map((each) => `${newId()}${each}`);
      for (const [i, id] of ids.entries()) await set(id, session({ i }));
      await destroy(ids[2]!);
      const found = await Promise.all(ids.map((id) => get(id)));
      assert.deepEqual(
        found.map((each) => each?.['i']),
        [0, 1, undefined, 3, 4, 5, 6, 7],
      );
    },
  },
  {
    name: 'destroys, again and again, and what never was',
    async check({ store }) {
      const { get, set, destroy } = verbs(store);
      const id = newId();
      await set(id, session({}));
      await destroy(id);
      await destroy(id);
      await destroy(newId());
      assert.ok(!(await get(id)));
    },
  },
  {
    name: 'case 69: sets nothing again that was destroyed',
    async check({ store }) {
      const { get, set, destroy } = verbs(store);
      const id = newId();
      await set(id, session({ a: 1 }));
      await destroy(id);
      await set(id, session({ a: 2 })).catch(() => undefined); // to refuse it is as good as to forget it
      assert.ok(!(await get(id)));
    },
  },
  {
    name: 'keeps a session whose cookie ends with the browser',
    async check({ store }) {
      const { get, set } = verbs(store);
      const id = newId();
      await set(id, { a: 1, cookie: { originalMaxAge: null, expires: null } });
      const { a, cookie } = (await get(id))!;
      assert.deepEqual([a, cookie.originalMaxAge, cookie.expires ?? null], [1, null, null]);
    },
  },
  {
    name: 'takes a cookie that has ended for the end of its session',
    async check({ store }) {
      const { get, set } = verbs(store);
      const id = newId();
      await set(id, session({ a: 1 }));
      await set(id, { a: 1, cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() - 1_000) } });
      assert.ok(!(await get(id)));
    },
  },
  {
    name: 'ends a session in its time, which a touch begins anew',
    async check({ store, pass }) {
      const { get, set, touch } = verbs(store);
      if (pass === undefined) return;
      const [id, touched] = [newId(), newId()];
      await set(id, session({}));
      await set(touched, session({}));
      await pass(HOUR / 2);
      await touch?.(touched, session({}));
      await pass(HOUR / 2);
      assert.ok(!(await get(id)));
      assert.equal(Boolean(await get(touched)), touch !== undefined);
    },
  },
  {
    name: 'touches nothing into being, and changes nothing by it',
    async check({ store }) {
      const { get, set, touch } = verbs(store);
      const id = newId();
      await touch?.(id, session({ a: 1 }));
      assert.ok(!(await get(id)));
      await set(id, session({ a: 1 }));
      await touch?.(id, session({ a: 2 }));
      assert.equal((await get(id))!['a'], 1);
    },
  },
  {
    name: 'case 78: counts, lists and clears what there is',
    async check({ store }) {
      const { set, all, length, clear } = verbs(store);
      await clear?.();
      const ids = [newId(), newId()];
      for (const [i, id] of ids.entries()) await set(id, session({ i }));
      if (length) assert.equal(await length(), 2);
      if (all) {
        const listed = Object.values((await all()) as object) as PlainSession[];
        assert.deepEqual(new Set(listed.map((each) => each['i'])), new Set([0, 1]));
      }
      await clear?.();
      if (clear && length) assert.equal(await length(), 0);
    },
  },
  {
    name: 'refuses what is no JSON by an error, not by an exception',
    async check({ store }) {
      const { get, set } = verbs(store);
      const id = newId();
      await assert.rejects(set(id, session({ big: 1n })));
      assert.ok(!(await get(id)));
    },
  },
];

function session(data: object): PlainSession {
  return { ...data, cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR) } };
}

/** Each verb as a promise. */
function verbs(store: CompliantStore) {
  type Verb<Args extends unknown[], Value> = (...args: Args) => Promise<Value>;
  const of = <Args extends unknown[], Value>(name: keyof CompliantStore) =>
    store[name] && (promisify(store[name].bind(store) as never) as Verb<Args, Value>);
  return {
    get: of<[string], PlainSession | null | undefined>('get')!,
    set: of<[string, PlainSession], unknown>('set')!,
    destroy: of<[string], unknown>('destroy')!,
    touch: of<[string, PlainSession], unknown>('touch'),
    all: of<[], unknown>('all'),
    length: of<[], number>('length'),
    clear: of<[], unknown>('clear'),
  };
}
