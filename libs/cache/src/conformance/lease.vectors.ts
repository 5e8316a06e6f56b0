import { expect } from '@jest/globals';
import { vectorsOf, versionOf, type Bench } from './bench.js';

/** A load that has begun, and what must keep it from storing. */
const fences: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
  'was removed': ({ store, slot }) => store.remove(slot),
  'was put': (bench) => bench.store.put(bench.slot, bench.value('NEW'), 10_000),
  'was put and removed': async (bench) => {
    await bench.store.put(bench.slot, bench.value('NEW'), 10_000);
    await bench.store.remove(bench.slot);
  },
  'is loaded by one that saw more': (bench) => bench.begin('newer', { stamp: 101 }),
  'was loaded by one that saw more': async (bench) => {
    await bench.begin('newer', { stamp: 101 });
    expect(await bench.commit('newer', 'NEW')).toBe(true);
  },
  'was given up': ({ store, slot }) => store.abort(slot, 'old'),
};

const fenced = Object.entries(fences).flatMap(([what, fence]) =>
  ['nothing', 'a value'].map((there): [string, (bench: Bench) => Promise<void>] => [
    `a load that began with ${there} stores nothing once the value ${what}`,
    async (bench) => {
      const old = bench.value('STALE');
      const seen = there === 'nothing' ? undefined : versionOf(old);
      if (seen !== undefined) await bench.store.put(bench.slot, old, 10_000);
      expect(await bench.begin('old', { seen })).toMatchObject({ leased: true });
      // The one that saw more has seen the same value.
      const { begin, commit } = bench;
      bench.begin = (token, asked) => begin.call(bench, token, { seen, ...asked });
      bench.commit = (token, text, asked) => commit.call(bench, token, text, { seen, ...asked });
      await fence(bench);
      expect(await bench.commit('old', 'OLD')).toBe(false);
      expect(await bench.text()).not.toBe('OLD');
    },
  ]),
);

/** Who may load, and what may be stored. */
export const leaseVectors = vectorsOf({
  'of a hundred who ask at once one may load': async (bench) => {
    const asked = await Promise.all(Array.from({ length: 100 }, (_, index) => bench.begin(`${index}`)));
    expect(asked.filter(({ leased }) => leased)).toHaveLength(1);
    for (const { leased, leaseLeftMs } of asked) {
      if (leased) continue;
      expect(leaseLeftMs).toBeGreaterThan(0);
      expect(leaseLeftMs).toBeLessThanOrEqual(5_000);
    }
  },

  'what is there and was not seen is given instead of leave': async (bench) => {
    await bench.store.put(bench.slot, bench.value('there'), 10_000);
    const asked = await bench.begin('a');
    expect([asked.leased, asked.bytes && (await bench.text())]).toEqual([false, 'there']);
    expect(await bench.commit('a', 'NEW')).toBe(false);
  },

  'what was seen may be loaded anew, and is there until then': async (bench) => {
    const old = bench.value('OLD');
    await bench.store.put(bench.slot, old, 10_000);
    const seen = versionOf(old);
    expect(await bench.begin('a', { seen })).toMatchObject({ leased: true, bytes: null });
    expect(await bench.text()).toBe('OLD');
    expect(await bench.commit('a', 'NEW', { seen })).toBe(true);
    expect(await bench.text()).toBe('NEW');
  },

  'what was seen and is gone may be loaded, and is stored only as what follows nothing': async (bench) => {
    const seen = versionOf(bench.value('gone'));
    expect(await bench.begin('a', { seen })).toMatchObject({ leased: true });
    expect(await bench.commit('a', 'NEW', { seen })).toBe(false);
    expect(await bench.begin('b')).toMatchObject({ leased: true });
    expect(await bench.commit('b', 'NEW')).toBe(true);
  },

  'a load stores under its lease, tells of it, and the lease is over': async (bench) => {
    await bench.begin('a');
    bench.listen();
    expect(await bench.commit('a', 'value')).toBe(true);
    await bench.told(bench.slot.entry.name);
    expect([await bench.text(), await bench.commit('a', 'again')]).toEqual(['value', false]);
    expect(await bench.store.renew(bench.slot, 'a', 1_000)).toBe(false);
  },

  ...Object.fromEntries(fenced),

  'a load that was refused leaves no lease behind': async (bench) => {
    await bench.begin('a');
    const other = bench.value('other');
    await bench.store.put(bench.slot, other, 10_000);
    expect(await bench.commit('a', 'OLD')).toBe(false);
    expect(await bench.begin('b', { seen: versionOf(other) })).toMatchObject({ leased: true });
  },

  'a load that saw nothing stores nothing after a value that was put meanwhile, and has ended': async (bench) => {
    await bench.begin('a');
    await bench.store.put(bench.slot, bench.value('NEW'), 5);
    await bench.opened.pass(10);
    expect([await bench.text(), await bench.commit('a', 'OLD')]).toEqual([undefined, false]);
  },

  'a load stores nothing when what it saw is gone: by its end or by a stranger, nobody can tell': async (bench) => {
    const old = bench.value('old');
    await bench.store.put(bench.slot, old, 300);
    expect(await bench.begin('a', { seen: versionOf(old) })).toMatchObject({ leased: true });
    await bench.opened.pass(305);
    expect(await bench.commit('a', 'again', { seen: versionOf(old) })).toBe(false);
    expect(await bench.begin('b')).toMatchObject({ leased: true });
  },

  'only a load that saw more takes a lease over': async (bench) => {
    await bench.begin('a');
    for (const stamp of [99, 100]) expect(await bench.begin('b', { stamp })).toMatchObject({ leased: false });
    expect(await bench.commit('b', 'OLD')).toBe(false);
    expect(await bench.commit('a', 'value')).toBe(true);
  },

  'stamps are compared as numbers': async (bench) => {
    await bench.begin('a', { stamp: 1_800_000_000_000_000 });
    expect(await bench.begin('b', { stamp: 999_999_999_999_999 })).toMatchObject({ leased: false });
    expect(await bench.begin('c', { stamp: 1_800_000_000_000_001 })).toMatchObject({ leased: true });
  },

  'a lease ends by itself, and its load then stores nothing': async (bench) => {
    await bench.begin('a', { leaseMs: 30 });
    await bench.opened.pass(35);
    expect([await bench.commit('a', 'OLD'), await bench.store.renew(bench.slot, 'a', 5_000)]).toEqual([false, false]);
    expect(await bench.begin('b')).toMatchObject({ leased: true });
  },

  'a lease that is renewed does not end': async (bench) => {
    await bench.begin('a', { leaseMs: 300 });
    expect(await bench.store.renew(bench.slot, 'a', 5_000)).toBe(true);
    await bench.opened.pass(305);
    expect(await bench.begin('b')).toMatchObject({ leased: false });
    expect(await bench.commit('a', 'value')).toBe(true);
  },

  'nobody renews, or gives up, the lease of another': async (bench) => {
    await bench.begin('a');
    expect(await bench.store.renew(bench.slot, 'b', 1)).toBe(false);
    await bench.store.abort(bench.slot, 'b');
    expect(await bench.begin('c')).toMatchObject({ leased: false });
    expect(await bench.commit('a', 'value')).toBe(true);
  },

  'a load that is given up tells those who wait, who may load': async (bench) => {
    await bench.begin('a');
    bench.listen();
    await bench.store.abort(bench.slot, 'a');
    await bench.told(bench.slot.entry.name);
    expect(await bench.text()).toBeUndefined();
    expect(await bench.begin('b')).toMatchObject({ leased: true, bytes: null });
  },
});
