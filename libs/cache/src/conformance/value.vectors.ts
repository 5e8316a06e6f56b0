import { expect } from '@jest/globals';
import { readEnvelope } from '../values/envelope.js';
import { textOf, vectorsOf, versionOf } from './bench.js';

/** What is kept, for how long, and how it ends. */
export const valueVectors = vectorsOf({
  'values are found in the order in which they are asked for': async (bench) => {
    const slots = ['a', 'b', 'c'].map((key) => bench.slotOf(key));
    await bench.store.put(slots[0]!, bench.value('A'), 10_000);
    await bench.store.put(slots[2]!, bench.value('C'), 10_000);
    const asked = [2, 1, 0, 2].map((index) => slots[index]!.entry);
    expect((await bench.store.readMany(asked)).map(textOf)).toEqual(['C', undefined, 'A', 'C']);
    expect(await bench.store.readMany([])).toEqual([]);
  },

  'many values are found as one is': async (bench) => {
    const slots = Array.from({ length: 450 }, (_, index) => bench.slotOf(`${index}`));
    await Promise.all(slots.map((slot, index) => bench.store.put(slot, bench.value(`${index}`), 10_000)));
    const entries = slots.map(({ entry }) => entry);
    const expected = entries.map((_, index) => `${index}`);
    expect((await bench.store.readMany(entries)).map(textOf)).toEqual(expected);
    expect((await Promise.all(entries.map((entry) => bench.store.read(entry)))).map(textOf)).toEqual(expected);
  },

  'bytes come back as they were': async (bench) => {
    const bytes = Buffer.concat([bench.value(''), Buffer.from(Array.from({ length: 256 }, (_, index) => index))]);
    await bench.store.put(bench.slot, bytes, 10_000);
    expect(Buffer.compare((await bench.store.read(bench.slot.entry))!, bytes)).toBe(0);
  },

  'a value that is put is there for its life, and is told of': async (bench) => {
    bench.listen();
    await bench.store.put(bench.slot, bench.value('value'), 300);
    await bench.told(bench.slot.entry.name);
    expect(await bench.text()).toBe('value');
    await bench.opened.pass(305);
    expect(await bench.store.read(bench.slot.entry)).toBeNull();
  },

  'a value that is loaded is there for its life': async (bench) => {
    await bench.begin('a');
    expect(await bench.commit('a', 'value', { lifeMs: 300 })).toBe(true);
    expect(await bench.text()).toBe('value');
    await bench.opened.pass(305);
    expect(await bench.store.read(bench.slot.entry)).toBeNull();
  },

  'a value that is removed is gone, and that is told': async (bench) => {
    expect(await bench.store.remove(bench.slot)).toBe(false);
    await bench.store.put(bench.slot, bench.value('value'), 10_000);
    await bench.told(bench.slot.entry.name);
    expect(await bench.store.remove(bench.slot)).toBe(true);
    await bench.told(bench.slot.entry.name);
    expect([await bench.text(), await bench.store.remove(bench.slot)]).toEqual([undefined, false]);
  },

  'a load without a value is removed, too, and that is told': async (bench) => {
    await bench.begin('a');
    bench.listen();
    expect(await bench.store.remove(bench.slot)).toBe(false);
    await bench.told(bench.slot.entry.name);
    expect(await bench.begin('b')).toMatchObject({ leased: true, bytes: null });
  },

  'the ends of a value are moved, if it is this version, and nothing else of it': async (bench) => {
    const value = bench.value('value');
    await bench.store.put(bench.slot, value, 10_000);
    await bench.told(bench.slot.entry.name);
    const ends = { freshUntil: 1_234.5, keptUntil: 6_789.25 };
    expect(await bench.store.expire(bench.slot, versionOf(bench.value('other')), ends)).toBe(false);
    expect(await bench.store.expire(bench.slotOf('none'), versionOf(value), ends)).toBe(false);
    expect(await bench.store.expire(bench.slot, versionOf(value), ends)).toBe(true);
    await bench.told(bench.slot.entry.name);
    const { payload, ...head } = readEnvelope(value)!;
    const bytes = (await bench.store.read(bench.slot.entry))!;
    const { payload: found, ...rest } = readEnvelope(bytes)!;
    expect(rest).toEqual({ ...head, ...ends });
    expect([versionOf(bytes).equals(versionOf(value)), found.equals(payload)]).toEqual([true, true]);
  },

  'a load stores nothing once its value was expired, whether there was one or not': async (bench) => {
    const ends = { freshUntil: 1, keptUntil: 2 };
    const value = bench.value('value');
    await bench.begin('a');
    expect(await bench.store.expire(bench.slot, Buffer.alloc(0), ends)).toBe(false);
    expect(await bench.store.renew(bench.slot, 'a', 1_000)).toBe(false);
    await bench.store.put(bench.slot, value, 10_000);
    const seen = versionOf(value);
    expect(await bench.store.begin(bench.slot, seen, { token: 'b', stamp: 1, leaseMs: 1_000 })).toMatchObject({
      leased: true,
    });
    expect(await bench.store.expire(bench.slot, seen, ends)).toBe(true);
    const commit = { token: 'b', seen, bytes: bench.value('read before'), lifeMs: 1_000 };
    expect(await bench.store.commit(bench.slot, commit)).toBe(false);
  },

  'nothing is kept without an end': async (bench) => {
    const { store, slot } = bench;
    await store.put(slot, bench.value('value'), 10_000);
    const [loading, loaded, given, removed] = ['loading', 'loaded', 'given', 'removed'].map((key) => bench.slotOf(key));
    for (const each of [loading, loaded, given, removed]) await bench.begin('a', { slot: each });
    await store.renew(loading!, 'a', 1_000);
    await bench.commit('a', 'value', { slot: loaded });
    await store.abort(given!, 'a');
    await store.remove(removed!);
    await store.ensure([bench.tag('ensured')], 10_000);
    await store.bump([bench.tag('ensured'), bench.tag('bumped')], 10_000);
    expect(await bench.opened.endless()).toEqual([]);
  },

  'the clock goes on, and is that of loads and tags': async (bench) => {
    const before = await bench.store.now();
    const { nowUs } = await bench.begin('a');
    const [version] = await bench.store.bump([bench.tag('clock')], 10_000);
    const after = await bench.store.now();
    expect(before).toBeGreaterThan(1.5e12);
    expect(Number.isInteger(nowUs)).toBe(true);
    expect(nowUs).toBeGreaterThanOrEqual(Math.floor(before * 1_000));
    expect(version!).toBeGreaterThanOrEqual(nowUs);
    expect(version! / 1_000).toBeLessThanOrEqual(after + 1);
  },
});
