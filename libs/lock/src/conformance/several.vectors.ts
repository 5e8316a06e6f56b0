import { expect } from '@jest/globals';
import { vectorsOf, type LockVector } from './bench.js';

/** What a mutex of several keys promises. */
export const severalVectors: readonly LockVector[] = [
  ...vectorsOf([], {
    '33: several keys are granted together or not at all': async (bench) => {
      const b = await bench.hold(bench.claim({ keys: ['b'] }));
      expect(await bench.states(bench.claim({ keys: ['a', 'b', 'c'] }))).toEqual(['busy']);
      for (const key of ['a', 'c']) expect((await bench.store.inspect('mutex', bench.key(key))).holders).toEqual([]);
      await bench.store.release(b);
      const all = await bench.hold(bench.claim({ keys: ['a', 'b', 'c'] }));
      for (const key of ['a', 'b', 'c']) {
        expect((await bench.store.inspect('mutex', bench.key(key))).holders).toEqual([
          expect.objectContaining({ holder: all.holder, token: all.token }),
        ]);
        expect(await bench.states(bench.claim({ keys: [key] }))).toEqual(['busy']);
      }
      expect(await bench.outcomeOf(all)).toBe('released');
      const each = ['a', 'b', 'c'].map((key) => bench.claim({ keys: [key] }));
      expect(await bench.states(...each)).toEqual(['granted', 'granted', 'granted']);
    },

    'their token is greater than any that one of them ever had': async (bench) => {
      const tokens: bigint[] = [];
      for (const keys of [['a'], ['b'], ['a', 'b'], ['b'], ['a'], ['a', 'b', 'c'], ['c']]) {
        const hold = await bench.hold(bench.claim({ keys }));
        tokens.push(hold.token);
        await bench.store.release(hold);
      }
      const [a1, b1, ab, b2, a2, abc, c] = tokens as [bigint, bigint, bigint, bigint, bigint, bigint, bigint];
      expect([ab > a1, ab > b1, b2 > ab, a2 > ab, abc > b2, abc > a2, c > abc]).toEqual(Array(7).fill(true));
    },

    '33: overlapping claims from all sides: one at a time has a key': async (bench) => {
      const sides = [
        ['a', 'b'],
        ['b', 'c'],
        ['a', 'c'],
      ];
      for (let round = 0; round < 5; round++) {
        const claims = Array.from({ length: 12 }, (_, i) => bench.claim({ keys: sides[i % 3]! }));
        const outcomes = await Promise.all(claims.map((claim) => bench.store.acquire(claim)));
        const granted = claims.filter((_, i) => outcomes[i]!.state === 'granted');
        expect(granted).toHaveLength(1);
        await bench.store.withdraw(granted[0]!);
      }
    },

    'asked again by their holder, they give the same token; extended, all live on': async (bench) => {
      const claim = bench.claim({ keys: ['a', 'b'] });
      const hold = await bench.hold(claim);
      await bench.opened.pass(8_000);
      expect(await bench.hold(claim)).toEqual(hold);
      await bench.opened.pass(8_000);
      expect(await bench.store.extend([hold])).toEqual(['extended']);
      await bench.opened.pass(8_000);
      expect(await bench.states(bench.claim(), bench.claim({ keys: ['b'] }))).toEqual(['busy', 'busy']);
      await bench.opened.pass(2_001);
      expect(await bench.states(bench.claim(), bench.claim({ keys: ['b'] }))).toEqual(['granted', 'granted']);
    },

    'when one of them is lost, so is the whole; the rest is given back': async (bench) => {
      const hold = await bench.hold(bench.claim({ keys: ['a', 'b'] }));
      await bench.store.force('mutex', bench.key('a'));
      const other = await bench.hold(bench.claim({ keys: ['a'] }));
      expect(await bench.store.extend([hold])).toEqual(['lost']);
      expect(await bench.outcomeOf(hold)).toBe('foreign');
      expect(await bench.states(bench.claim({ keys: ['b'] }))).toEqual(['granted']);
      expect(await bench.outcomeOf(other)).toBe('released');
    },

    'taken back, none of them is held': async (bench) => {
      const claim = bench.claim({ keys: ['a', 'b'] });
      await bench.hold(claim);
      await bench.store.withdraw(claim);
      expect(await bench.states(bench.claim(), bench.claim({ keys: ['b'] }))).toEqual(['granted', 'granted']);
    },
  }),

  ...vectorsOf(['queue'], {
    'who waits for several has a place in each queue': async (bench) => {
      const a = await bench.hold(bench.claim({ keys: ['a'] }));
      const b = await bench.hold(bench.claim({ keys: ['b'] }));
      const both = bench.waiter({ keys: ['a', 'b'] });
      expect(await bench.states(both)).toEqual(['busy']);
      await bench.store.release(a);
      expect(await bench.states(bench.waiter({ keys: ['a'] }), both)).toEqual(['busy', 'busy']);
      await bench.store.release(b);
      await bench.turnOf(both);
      expect(await bench.states(both)).toEqual(['granted']);
    },

    'who waits for several and takes it back stands in nobody’s way': async (bench) => {
      const a = await bench.hold(bench.claim({ keys: ['a'] }));
      const both = bench.waiter({ keys: ['a', 'b'] });
      const behind = bench.waiter({ keys: ['b'] });
      expect(await bench.states(both, behind)).toEqual(['busy', 'busy']);
      await bench.store.withdraw(both);
      await bench.turnOf(behind);
      expect(await bench.states(behind)).toEqual(['granted']);
      expect(await bench.outcomeOf(a)).toBe('released');
    },
  }),
];
