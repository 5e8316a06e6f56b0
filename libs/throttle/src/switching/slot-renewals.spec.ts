import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CountingPlace } from './charge.js';
import type { HeldCharge } from './held-charge.js';
import { SlotRenewals } from './slot-renewals.js';

let made = 0;
const slot = (windowMs: number, place: CountingPlace = 'redis', subject = String(made++)) =>
  ({ place, settlement: { key: { name: subject }, windowUs: windowMs * 1_000 } }) as HeldCharge;

describe('SlotRenewals', () => {
  let renewed: [CountingPlace, number][];
  let renewals: SlotRenewals;
  beforeEach(() => {
    jest.useFakeTimers();
    renewed = [];
    renewals = new SlotRenewals((place, slots) => {
      renewed.push([place, slots.length]);
      return Promise.resolve();
    });
  });
  afterEach(() => {
    renewals.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('renews at a third of the window, all slots of a place in one call, with one timer', () => {
    for (let i = 0; i < 100; i++) renewals.add(slot(30_000));
    for (let i = 0; i < 10; i++) renewals.add(slot(30_000, 'memory'));
    renewals.add(slot(30_000, 'insurance'));
    renewals.add(slot(60_000));
    renewals.add(slot(3_000));
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(9_999);
    expect(renewed.splice(0)).toEqual(Array(9).fill(['redis', 1]));
    jest.advanceTimersByTime(2);
    expect(renewed.splice(0)).toEqual(
      expect.arrayContaining([
        ['redis', 100],
        ['memory', 10],
        ['insurance', 1],
      ]),
    );
    expect(jest.getTimerCount()).toBe(1);
  });

  it('a slot is renewed at least each third of its window, whenever it came', () => {
    renewals.add(slot(30_000));
    jest.advanceTimersByTime(9_000);
    renewals.add(slot(30_000));
    jest.advanceTimersByTime(1_001);
    expect(renewed.at(-1)).toEqual(['redis', 2]);
  });

  it('a settled slot is not renewed, and without slots there is no timer', () => {
    const first = slot(30_000);
    const second = slot(30_000);
    renewals.add(first);
    renewals.add(second);
    renewals.delete(first);
    jest.advanceTimersByTime(10_001);
    expect(renewed.splice(0)).toEqual([['redis', 1]]);
    renewals.delete(second);
    renewals.delete(second);
    jest.advanceTimersByTime(10_001);
    expect(renewed).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
    renewals.add(first);
    jest.advanceTimersByTime(10_001);
    expect(renewed).toEqual([['redis', 1]]);
  });

  it('16: a window of a year does not overflow a timer', () => {
    renewals.add(slot(366 * 86_400_000));
    jest.advanceTimersByTime(3_599_000);
    expect(renewed).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(renewed).toEqual([['redis', 1]]);
  });

  it('55: renews outside of the request that took a slot', async () => {
    jest.useRealTimers();
    const requests = new AsyncLocalStorage<object>();
    const seen: unknown[] = [];
    const real = new SlotRenewals(() => Promise.resolve(void seen.push(requests.getStore())));
    requests.run({}, () => real.add(slot(3)));
    await eventually(() => seen.length > 1, { within: 2_000 });
    expect(seen).toEqual(seen.map(() => undefined));
    real.close();
    jest.useFakeTimers();
  });

  it('gives each call distinct keys', () => {
    for (const subject of ['a', 'b', 'a', 'c', 'a', 'b']) renewals.add(slot(30_000, 'redis', subject));
    jest.advanceTimersByTime(10_001);
    expect(renewed.map(([, slots]) => slots)).toEqual([3, 2, 1]);
  });

  it('keeps each call short', () => {
    for (let i = 0; i < 1_001; i++) renewals.add(slot(30_000));
    jest.advanceTimersByTime(10_001);
    expect(renewed.map(([, slots]) => slots)).toEqual([500, 500, 1]);
  });
});
