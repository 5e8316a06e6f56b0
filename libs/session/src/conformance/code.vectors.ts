import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { CodeLimits } from '../session.config.js';
import type { CodeStore } from '../one-time/code.store.js';
import { atOnce, type Vector } from './vector.js';

/** A store of codes under test. */
export interface OpenedCodeStore {
  readonly store: CodeStore;
  /** Lets time go by for it. */
  pass(ms: number): void | Promise<void>;
  close(): void | Promise<void>;
}

const text = () => randomBytes(16).toString('base64url');
const hash = () => randomBytes(32).toString('base64url');
const limits: CodeLimits = {
  digits: 6,
  ttlMs: 300_000,
  attempts: 5,
  cooldownMs: 60_000,
  sends: 10,
  guesses: 20,
  windowMs: 3_600_000,
};
const someone = (purpose = 'login') => ({ subject: text(), purpose });

/** What a store of codes must do. */
export const codeVectors: readonly Vector<OpenedCodeStore>[] = [
  {
    name: 'case 80: of a hundred wrong guesses five count, and then even the right code fails',
    async check({ store }) {
      const [of, right] = [someone(), hash()];
      await store.issue(of, right, limits);
      const guesses = await atOnce(100, () => store.try(of, hash(), limits));
      assert.equal(guesses.filter(({ state }) => state === 'wrong').length, 5);
      assert.equal(guesses.filter(({ state }) => state === 'none').length, 95);
      assert.deepEqual(await store.try(of, right, limits), { state: 'none' });
    },
  },
  {
    name: 'four wrong guesses leave one for the right code',
    async check({ store }) {
      const [of, right] = [someone(), hash()];
      await store.issue(of, right, limits);
      for (let i = 0; i < 4; i++) assert.deepEqual(await store.try(of, hash(), limits), { state: 'wrong' });
      assert.deepEqual(await store.try(of, right, limits), { state: 'accepted' });
    },
  },
  {
    name: 'case 81: of fifty right guesses one is accepted',
    async check({ store }) {
      const [of, right] = [someone(), hash()];
      await store.issue(of, right, limits);
      const guesses = await atOnce(50, () => store.try(of, right, limits));
      assert.equal(guesses.filter(({ state }) => state === 'accepted').length, 1);
      assert.equal(guesses.filter(({ state }) => state === 'none').length, 49);
    },
  },
  {
    name: 'case 82: another code is sent a minute later, and then the former is void',
    async check({ store, pass }) {
      const [of, first, second] = [someone(), hash(), hash()];
      await store.issue(of, first, limits);
      await pass(59_000);
      const again = await store.issue(of, second, limits);
      assert.equal(again.state, 'cooldown');
      assert.ok('waitMs' in again && again.waitMs > 0 && again.waitMs <= 1_000);
      assert.deepEqual(await store.try(someone(), first, limits), { state: 'none' });
      await pass(1_000);
      assert.deepEqual(await store.issue(of, second, limits), { state: 'issued' });
      assert.deepEqual(await store.try(of, first, limits), { state: 'wrong' });
      assert.deepEqual(await store.try(of, second, limits), { state: 'accepted' });
    },
  },
  {
    name: 'case 83: another code gives no other guesses: after twenty nothing is sent and nothing accepted',
    async check({ store, pass }) {
      const [of, free] = [someone(), { ...limits, cooldownMs: 0 }];
      let wrong = 0;
      for (let i = 0; i < 4; i++) {
        assert.deepEqual(await store.issue(of, hash(), free), { state: 'issued' });
        const guesses = await atOnce(5, () => store.try(of, hash(), free));
        wrong += guesses.filter(({ state }) => state === 'wrong').length;
      }
      assert.equal(wrong, 20);
      const [refused, tried] = [await store.issue(of, hash(), free), await store.try(of, hash(), free)];
      assert.deepEqual([refused.state, tried.state], ['locked', 'locked']);
      assert.ok('waitMs' in tried && tried.waitMs > 3_500_000 && tried.waitMs <= 3_600_000);
      await pass(3_600_000);
      assert.deepEqual(await store.issue(of, hash(), free), { state: 'issued' });
    },
  },
  {
    name: 'a code that was accepted does not forgive wrong guesses',
    async check({ store }) {
      const [of, free] = [someone(), { ...limits, cooldownMs: 0, guesses: 2 }];
      for (let i = 0; i < 2; i++) {
        const right = hash();
        await store.issue(of, right, free);
        assert.deepEqual(await store.try(of, hash(), free), { state: 'wrong' });
        if (i === 0) assert.deepEqual(await store.try(of, right, free), { state: 'accepted' });
        else assert.equal((await store.try(of, right, free)).state, 'locked');
      }
    },
  },
  {
    name: 'sends no more codes than it may within a window',
    async check({ store, pass }) {
      const [of, free] = [someone(), { ...limits, cooldownMs: 0, sends: 3 }];
      const sent = await atOnce(10, () => store.issue(of, hash(), free));
      assert.equal(sent.filter(({ state }) => state === 'issued').length, 3);
      await pass(3_600_000);
      assert.equal((await store.issue(of, hash(), free)).state, 'issued');
    },
  },
  {
    name: 'never more within any window, wherever it begins',
    async check({ store, pass }) {
      const [of, free] = [someone(), { ...limits, cooldownMs: 0, sends: 2, guesses: 2 }];
      assert.equal((await store.issue(of, hash(), free)).state, 'issued');
      assert.equal((await store.try(of, hash(), free)).state, 'wrong');
      await pass(3_000_000);
      assert.equal((await store.issue(of, hash(), free)).state, 'issued');
      assert.equal((await store.try(of, hash(), free)).state, 'wrong');
      const locked = await store.issue(of, hash(), free);
      assert.ok('waitMs' in locked && locked.waitMs > 590_000 && locked.waitMs <= 600_000);
      await pass(600_000);
      assert.equal((await store.issue(of, hash(), free)).state, 'issued');
      assert.equal((await store.try(of, hash(), free)).state, 'wrong');
      assert.deepEqual(
        [(await store.issue(of, hash(), free)).state, (await store.try(of, hash(), free)).state],
        ['locked', 'locked'],
      );
    },
  },
  {
    name: 'a cool-down goes on when the window ends',
    async check({ store, pass }) {
      const [of, brief] = [someone(), { ...limits, cooldownMs: 120_000, windowMs: 60_000 }];
      assert.equal((await store.issue(of, hash(), brief)).state, 'issued');
      await pass(60_000);
      const again = await store.issue(of, hash(), brief);
      assert.equal(again.state, 'cooldown');
      assert.ok('waitMs' in again && again.waitMs > 59_000 && again.waitMs <= 60_000);
      await pass(60_000);
      assert.equal((await store.issue(of, hash(), brief)).state, 'issued');
    },
  },
  {
    name: 'case 84: a code is good for its purpose and its subject alone',
    async check({ store }) {
      const [of, right] = [someone(), hash()];
      await store.issue(of, right, limits);
      assert.deepEqual(await store.try({ ...of, purpose: 'reset' }, right, limits), { state: 'none' });
      assert.deepEqual(await store.try({ ...of, subject: text() }, right, limits), { state: 'none' });
      assert.deepEqual(await store.try(of, right, limits), { state: 'accepted' });
    },
  },
  {
    name: 'dies after exactly five minutes',
    async check({ store, pass }) {
      const [early, late, right] = [someone(), someone(), hash()];
      await store.issue(early, right, limits);
      await store.issue(late, right, limits);
      await pass(295_000);
      assert.deepEqual(await store.try(early, right, limits), { state: 'accepted' });
      await pass(5_000);
      assert.deepEqual(await store.try(late, right, limits), { state: 'none' });
    },
  },
];
