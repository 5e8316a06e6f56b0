import { expect } from '@jest/globals';
import type { LockClaim } from '../stores/lock.store.js';
import { vectorsOf, WAITER_TTL_MS } from './bench.js';

/** What those who wait are promised. */
export const queueVectors = vectorsOf(['queue'], {
  '25: who comes first is served first, however often the others ask': async (bench) => {
    let hold = await bench.hold(bench.claim());
    let waiters: LockClaim[] = Array.from({ length: 10 }, () => bench.waiter());
    await bench.states(...waiters);
    while (waiters.length > 0) {
      expect(await bench.states(...waiters.toReversed())).toEqual(waiters.map(() => 'busy'));
      await bench.store.release(hold);
      const [head, ...others] = waiters as [LockClaim, ...LockClaim[]];
      await bench.turnOf(head);
      expect(await bench.states(...others.toReversed())).toEqual(others.map(() => 'busy'));
      hold = await bench.hold(head);
      waiters = others;
    }
  },

  '29: who does not wait does not pass those who do': async (bench) => {
    const hold = await bench.hold(bench.claim());
    const waiter = bench.waiter();
    await bench.states(waiter);
    await bench.store.release(hold);
    expect(await bench.store.acquire(bench.claim())).toEqual({ state: 'busy', retryInMs: 0 });
    expect((await bench.store.inspect('mutex', bench.key())).waiting).toBe(1);
    expect(await bench.states(waiter)).toEqual(['granted']);
    expect((await bench.store.inspect('mutex', bench.key())).waiting).toBe(0);
  },

  '25: who gives no sign of life loses its place': async (bench) => {
    const hold = await bench.hold(bench.claim({ ttlMs: 60_000 }));
    const [dead, alive] = [bench.waiter(), bench.waiter()];
    await bench.states(dead, alive);
    await bench.opened.pass(WAITER_TTL_MS - 1_000);
    expect(await bench.states(alive)).toEqual(['busy']);
    await bench.opened.pass(1_001);
    expect((await bench.store.inspect('mutex', bench.key())).waiting).toBe(1);
    await bench.store.release(hold);
    await bench.turnOf(alive);
    expect(await bench.states(dead, alive)).toEqual(['busy', 'granted']);
  },

  'who asks again in time keeps its place for as long as it takes': async (bench) => {
    const hold = await bench.hold(bench.claim({ ttlMs: 60_000 }));
    const waiters = [bench.waiter(), bench.waiter()];
    await bench.states(...waiters);
    for (let i = 0; i < 5; i++) {
      await bench.opened.pass(WAITER_TTL_MS - 1_000);
      expect(await bench.states(...waiters.toReversed())).toEqual(['busy', 'busy']);
    }
    await bench.store.release(hold);
    expect(await bench.states(...waiters.toReversed())).toEqual(['busy', 'granted']);
  },

  'who waits gets it when the holder’s time has run out': async (bench) => {
    const hold = await bench.hold(bench.claim({ ttlMs: 3_000 }));
    const waiter = bench.waiter();
    await bench.states(waiter);
    await bench.opened.pass(3_001);
    expect((await bench.hold(waiter)).token).toBeGreaterThan(hold.token);
    expect(await bench.outcomeOf(hold)).toBe('foreign');
  },

  'a claim that is taken back leaves the queue, and the next is told': async (bench) => {
    const hold = await bench.hold(bench.claim());
    const [first, second] = [bench.waiter(), bench.waiter()];
    await bench.states(first, second);
    await bench.store.release(hold);
    await bench.turnOf(first);
    await bench.store.withdraw(first);
    await bench.turnOf(second);
    expect(await bench.states(second)).toEqual(['granted']);
    await bench.store.withdraw(second);
    expect(await bench.store.inspect('mutex', bench.key())).toEqual({ holders: [], waiting: 0 });
  },

  'a release asks for the next claim of its process in the same step': async (bench) => {
    const hold = await bench.hold(bench.claim());
    const next = bench.waiter();
    const { outcome, next: answer } = await bench.store.release(hold, next);
    expect([outcome, answer?.state]).toEqual(['released', 'granted']);
    expect((await bench.store.inspect('mutex', bench.key())).holders.map(({ holder }) => holder)).toEqual([
      next.holder,
    ]);
  },

  'the next claim of a process waits behind those of others': async (bench) => {
    const hold = await bench.hold(bench.claim());
    const [other, next] = [bench.waiter(), bench.waiter()];
    await bench.states(other);
    const { outcome, next: answer } = await bench.store.release(hold, next);
    expect([outcome, answer]).toEqual(['released', { state: 'busy', retryInMs: 0 }]);
    await bench.turnOf(other);
    expect((await bench.store.inspect('mutex', bench.key())).waiting).toBe(2);
    const held = await bench.hold(other);
    expect(await bench.states(next)).toEqual(['busy']);
    await bench.store.release(held);
    await bench.turnOf(next);
    expect(await bench.states(next)).toEqual(['granted']);
  },

  'the next claim is asked for also when there was nothing to release': async (bench) => {
    const hold = await bench.hold(bench.claim());
    await bench.store.release(hold);
    const { outcome, next } = await bench.store.release(hold, bench.waiter());
    expect([outcome, next?.state]).toEqual(['absent', 'granted']);
    const again = await bench.store.release(hold, bench.waiter());
    expect([again.outcome, again.next?.state]).toEqual(['foreign', 'busy']);
  },

  'a release that nobody follows tells nothing of a next': async (bench) => {
    const hold = await bench.hold(bench.claim());
    expect(await bench.store.release(hold)).toEqual({ outcome: 'released', next: undefined });
  },

  'a release that is repeated does not put the next claim twice into the queue': async (bench) => {
    const hold = await bench.hold(bench.claim());
    const [other, next] = [bench.waiter(), bench.waiter()];
    await bench.states(other);
    await bench.store.release(hold, next);
    await bench.store.release(hold, next);
    expect((await bench.store.inspect('mutex', bench.key())).waiting).toBe(2);
    expect(await bench.states(next, other)).toEqual(['busy', 'granted']);
  },

  'taken by force, it goes to who waits': async (bench) => {
    await bench.hold(bench.claim());
    const waiter = bench.waiter();
    await bench.states(waiter);
    await bench.store.force('mutex', bench.key());
    await bench.turnOf(waiter);
    expect(await bench.states(bench.claim(), waiter)).toEqual(['busy', 'granted']);
  },

  'who no longer listens is not told': async (bench) => {
    const heard: (string | undefined)[] = [];
    const stop = bench.store.onTurn((holder) => heard.push(holder));
    stop();
    stop();
    const hold = await bench.hold(bench.claim());
    const waiter = bench.waiter();
    await bench.states(waiter);
    await bench.store.release(hold);
    await bench.turnOf(waiter);
    expect(heard).toEqual([]);
  },
});
