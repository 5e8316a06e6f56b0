import { expect } from '@jest/globals';
import { vectorsOf } from './bench.js';

/** What a mutex of one key promises, in every store. */
export const mutexVectors = vectorsOf([], {
  'a free lock is granted, and says to others when to come again': async (bench) => {
    await bench.hold(bench.claim());
    const outcome = await bench.store.acquire(bench.claim());
    if (outcome.state !== 'busy') throw new Error(`Expected busy, got ${outcome.state}`);
    expect(outcome.retryInMs).toBeGreaterThan(9_000);
    expect(outcome.retryInMs).toBeLessThanOrEqual(10_000);
  },

  'one of fifty who come at once is let in': async (bench) => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => bench.store.acquire(bench.claim())));
    expect(outcomes.filter(({ state }) => state === 'granted')).toHaveLength(1);
  },

  '1: asked again by its holder, it gives the same token and a full lifetime': async (bench) => {
    const claim = bench.claim();
    const { token } = await bench.hold(claim);
    await bench.opened.pass(8_000);
    expect(await bench.store.acquire(claim)).toEqual({ state: 'granted', token });
    await bench.opened.pass(8_000);
    expect(await bench.states(bench.claim())).toEqual(['busy']);
    await bench.opened.pass(3_000);
    expect((await bench.hold(bench.claim())).token).toBeGreaterThan(token);
  },

  '2: who comes back after his time releases nothing of his successor': async (bench) => {
    const first = await bench.hold(bench.claim());
    await bench.opened.pass(10_001);
    const second = await bench.hold(bench.claim());
    expect(await bench.outcomeOf(first)).toBe('foreign');
    expect(await bench.store.extend([first])).toEqual(['lost']);
    expect(await bench.states(bench.claim())).toEqual(['busy']);
    expect(await bench.outcomeOf(second)).toBe('released');
  },

  '3: two claims of one process are two': async (bench) => {
    const first = await bench.hold(bench.claim());
    const other = bench.waiter();
    expect(await bench.states(other)).toEqual(['busy']);
    await bench.store.release(first);
    expect((await bench.hold(other)).token).toBeGreaterThan(first.token);
  },

  '11: the second release finds nothing': async (bench) => {
    const hold = await bench.hold(bench.claim());
    expect([await bench.outcomeOf(hold), await bench.outcomeOf(hold)]).toEqual(['released', 'absent']);
  },

  '11: a release after the time ran out finds nothing': async (bench) => {
    const hold = await bench.hold(bench.claim());
    await bench.opened.pass(10_001);
    expect(await bench.outcomeOf(hold)).toBe('absent');
  },

  'extended, it lives for its full time again': async (bench) => {
    const hold = await bench.hold(bench.claim());
    for (let i = 0; i < 3; i++) {
      await bench.opened.pass(8_000);
      expect(await bench.store.extend([hold])).toEqual(['extended']);
    }
    expect(await bench.states(bench.claim())).toEqual(['busy']);
  },

  'of several that are extended each gets its own answer': async (bench) => {
    const [a, b, c] = [
      await bench.hold(bench.claim()),
      await bench.hold(bench.claim({ keys: ['b'] })),
      await bench.hold(bench.claim({ keys: ['c'] })),
    ];
    await bench.store.release(b);
    expect(await bench.store.extend([a, b, c])).toEqual(['extended', 'lost', 'extended']);
    expect(await bench.store.extend([a, c], true)).toEqual(['extended', 'extended']);
    expect(await bench.store.extend([])).toEqual([]);
  },

  'what ran out is not extended': async (bench) => {
    const hold = await bench.hold(bench.claim());
    await bench.opened.pass(10_001);
    expect(await bench.store.extend([hold])).toEqual(['lost']);
    expect(await bench.states(bench.claim())).toEqual(['granted']);
  },

  '39: tokens are exact beyond 2^53': async (bench) => {
    const hold = await bench.hold(bench.claim());
    expect(hold.token).toBeGreaterThan(2n ** 53n);
    for (const token of [hold.token - 1n, hold.token + 1n]) {
      expect(await bench.store.extend([{ ...hold, token }])).toEqual(['lost']);
    }
    expect(await bench.store.extend([hold])).toEqual(['extended']);
    expect((await bench.store.inspect('mutex', bench.key())).holders[0]!.token).toBe(hold.token);
  },

  'tokens rise, however a lock ended': async (bench) => {
    const tokens: bigint[] = [];
    const again = async () => {
      const hold = await bench.hold(bench.claim());
      tokens.push(hold.token);
      return hold;
    };
    await bench.store.release(await again());
    await bench.store.withdraw(await again());
    await again();
    await bench.opened.pass(10_001);
    await again();
    await bench.store.force('mutex', bench.key());
    const { token } = await again();
    const seen = token + (1_000_000n << 33n) + 7n;
    await bench.store.force('mutex', bench.key());
    bench.store.raise(seen);
    bench.store.raise(seen - (500_000n << 33n));
    tokens.push((await bench.hold(bench.claim())).token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(tokens.at(-1)).toBeGreaterThan(seen);
  },

  'a claim that is taken back holds nothing, granted or not': async (bench) => {
    const claim = bench.claim();
    await bench.store.withdraw(claim);
    await bench.hold(claim);
    await bench.store.withdraw(bench.claim());
    expect(await bench.states(bench.claim())).toEqual(['busy']);
    await bench.store.withdraw(claim);
    await bench.store.withdraw(claim);
    expect(await bench.states(bench.claim())).toEqual(['granted']);
  },

  'whatever a key is made of, it is another key': async (bench) => {
    const long = 'long'.repeat(500);
    const names = ['|', ':', '%3A', '{a}', 'a b', 'ключ', '\u{1F511}', "'", '\n', '*', long, `${long}!`];
    for (const name of names) await bench.hold(bench.claim({ keys: [name] }));
    for (const name of names) {
      expect((await bench.store.inspect('mutex', bench.key(name))).holders).toHaveLength(1);
      expect(await bench.states(bench.claim({ keys: [name] }))).toEqual(['busy']);
    }
  },

  'it tells who holds it': async (bench) => {
    expect(await bench.store.inspect('mutex', bench.key())).toEqual({ holders: [], waiting: 0 });
    const { holder, token } = await bench.hold(bench.claim());
    await bench.opened.pass(3_000);
    const { holders, waiting } = await bench.store.inspect('mutex', bench.key());
    expect(waiting).toBe(0);
    expect(holders).toEqual([
      expect.objectContaining({
        holder,
        token,
        weight: 1,
        owner: expect.stringMatching(/.:\d+$/),
        since: expect.any(Date),
      }),
    ]);
    expect(Math.abs(holders[0]!.ttlMs - 7_000)).toBeLessThanOrEqual(1_000);
    await bench.opened.pass(7_001);
    expect((await bench.store.inspect('mutex', bench.key())).holders).toEqual([]);
  },

  'taken by force, it is lost to its holder': async (bench) => {
    expect(await bench.store.force('mutex', bench.key())).toEqual([]);
    const hold = await bench.hold(bench.claim());
    const taken = await bench.store.force('mutex', bench.key());
    expect(taken).toEqual([expect.objectContaining({ holder: hold.holder, token: hold.token })]);
    expect(await bench.store.extend([hold])).toEqual(['lost']);
    expect(await bench.outcomeOf(hold)).toBe('absent');
    expect(await bench.states(bench.claim())).toEqual(['granted']);
  },
});
