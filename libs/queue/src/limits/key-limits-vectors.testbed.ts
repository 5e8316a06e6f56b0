import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { LONGEST_PAUSE_MS, type KeyClaim, type KeyHold, type KeyLimits, type KeyVerdict } from './key-limits.js';

/** Limits under test. */
export interface OpenedKeyLimits {
  readonly limits: KeyLimits;
  /** Lets time go by for all that is stored, without waiting for it. */
  readonly pass: (ms: number) => void | Promise<void>;
  readonly close: () => void | Promise<void>;
}

/** A promise of the limits, and a test of it. */
export interface KeyLimitsVector {
  readonly name: string;
  readonly check: (opened: OpenedKeyLimits) => Promise<void>;
}

/** Each promise by its name, for a test that broken limits break it. */
export const keyLimitsVectors: readonly KeyLimitsVector[] = Object.entries<KeyLimitsVector['check']>({
  'of 50 callers at once three run where three may': async ({ limits }) => {
    const verdicts = await all(limits, claims(50, { concurrency: 3 }));
    expectCount(verdicts, 3);
    for (const verdict of verdicts.filter(({ granted }) => !granted)) expectRefusal(verdict, 'concurrency', 1, 1_000);
  },

  'a place that is given back is the next one’s, and only its own token gives it back': async ({ limits }) => {
    const [first, second] = claims(2, { concurrency: 1 }) as [KeyClaim, KeyClaim];
    expectGranted(await limits.acquire(first));
    await limits.release(second);
    expectRefusal(await limits.acquire(second));
    await limits.release(first);
    await limits.release(first);
    expectGranted(await limits.acquire(second));
    expectRefusal(await limits.acquire(first));
  },

  'who has a place gets it again, and takes no second one': async ({ limits }) => {
    const [first, second, third] = claims(3, { concurrency: 2 }) as [KeyClaim, KeyClaim, KeyClaim];
    expectGranted(...(await all(limits, [first, first, first, second])));
    expectRefusal(await limits.acquire(third));
    expectGranted(await limits.acquire(first));
    await limits.release(first);
    expectGranted(await limits.acquire(third));
  },

  'a holder that dies frees its place after its lease, and not before': async ({ limits, pass }) => {
    const [alive, dead, next] = claims(3, { concurrency: 2, leaseMs: 20_000 }) as [KeyClaim, KeyClaim, KeyClaim];
    await limits.acquire({ ...alive, leaseMs: 60_000 });
    await limits.acquire(dead);
    await pass(19_500);
    expectRefusal(await limits.acquire(next), 'concurrency', 1, 500);
    await pass(500);
    expectLost(await limits.renew([dead, alive], 60_000), [dead]);
    expectGranted(await limits.acquire(next));
    expectRefusal(await limits.acquire(dead), 'concurrency', LONGEST_PAUSE_MS, LONGEST_PAUSE_MS);
  },

  'asking again is a full lease again': async ({ limits, pass }) => {
    const [first, second] = claims(2, { concurrency: 1, leaseMs: 20_000 }) as [KeyClaim, KeyClaim];
    await limits.acquire(first);
    await pass(15_000);
    await limits.acquire(first);
    await pass(15_000);
    expectRefusal(await limits.acquire(second));
  },

  'one call renews places of several keys and queues, and names those that were lost': async ({ limits, pass }) => {
    const kept = claims(3, { concurrency: 5, leaseMs: 20_000 });
    const [first, second, third] = kept as [KeyClaim, KeyClaim, KeyClaim];
    const { key } = first;
    const other = claim({ queue: 'sms', leaseMs: 20_000 });
    const short = claim({ key, leaseMs: 5_000 });
    const returned = claim({ key });
    const stranger = claim({});
    await all(limits, [...kept, other, short, returned]);
    await limits.release(returned);
    await pass(15_000);
    const asked = [first, short, other, returned, second, stranger];
    expectLost(await limits.renew(asked, 20_000), [short, returned, stranger]);
    await pass(15_000);
    expectLost(await limits.renew([...kept, other], 20_000), [third]);
    expectLost(await limits.renew([], 20_000), []);
  },

  'a renewal brings nothing back': async ({ limits }) => {
    const [first, second] = claims(2, { concurrency: 1 }) as [KeyClaim, KeyClaim];
    await limits.acquire(first);
    await limits.release(first);
    await limits.renew([first], 20_000);
    expectGranted(await limits.acquire(second));
  },

  'at five in 100 s, of 50 at once five start, then one in 20 s': async ({ limits, pass }) => {
    const rate = { max: 5, windowMs: 100_000 };
    const [next, later, ...burst] = claims(52, { rate, leaseMs: 900_000 }) as [KeyClaim, KeyClaim, ...KeyClaim[]];
    const verdicts = await all(limits, burst);
    expectCount(verdicts, 5);
    for (const verdict of verdicts.filter(({ granted }) => !granted)) expectRefusal(verdict, 'rate', 15_000, 20_000);
    await pass(20_000);
    expectGranted(await limits.acquire(next));
    expectRefusal(await limits.acquire(later), 'rate', 15_000, 20_000);
    await pass(100_000);
    const again = await all(limits, claims(10, { key: next.key, rate }));
    expectCount(again, 5);
  },

  'a rate that does not divide its window is met all the same': async ({ limits }) => {
    const verdicts = await all(limits, claims(20, { rate: { max: 7, windowMs: 86_400_000 } }));
    expectCount(verdicts, 7);
    const refusal = verdicts.find(({ granted }) => !granted)!;
    expectRefusal(refusal, 'rate', 86_400_000 / 7 - 10_000, 86_400_000 / 7 + 1);
  },

  'who has a place is not charged again; who gave it back has spent its start': async ({ limits }) => {
    const rate = { max: 2, windowMs: 60_000 };
    const [first, second, third] = claims(3, { rate }) as [KeyClaim, KeyClaim, KeyClaim];
    expectGranted(...(await all(limits, [first, first, first, second])));
    await limits.release(first);
    expectRefusal(await limits.acquire(third), 'rate', 29_000, 30_000);
  },

  'a refusal for want of a place charges no rate': async ({ limits, pass }) => {
    const limit = { concurrency: 1, rate: { max: 2, windowMs: 60_000 } };
    const [first, second, third] = claims(3, limit) as [KeyClaim, KeyClaim, KeyClaim];
    await limits.acquire(first);
    const refusals = await all(limits, [second, second, third]);
    for (const verdict of refusals) expectRefusal(verdict, 'concurrency', 1, 1_000);
    await limits.release(first);
    expectGranted(await limits.acquire(second));
    await limits.release(second);
    expectRefusal(await limits.acquire(third), 'rate', 29_000, 30_000);
    await pass(30_000);
    expectGranted(await limits.acquire(third));
  },

  'a refusal by the rate takes no place, nor does it charge': async ({ limits, pass }) => {
    const limit = { concurrency: 2, rate: { max: 1, windowMs: 10_000 }, leaseMs: 60_000 };
    const [first, second, third] = claims(3, limit) as [KeyClaim, KeyClaim, KeyClaim];
    await limits.acquire(first);
    for (const verdict of await all(limits, [second, second, third])) expectRefusal(verdict, 'rate', 9_000, 10_000);
    await pass(10_000);
    expectGranted(await limits.acquire(third));
    expectRefusal(await limits.acquire(second), 'concurrency', 1, 1_000);
  },

  'a rate that was made faster counts at once': async ({ limits, pass }) => {
    const [first, second, third] = claims(3, {}) as [KeyClaim, KeyClaim, KeyClaim];
    await limits.acquire({ ...first, rate: { max: 1, windowMs: 3_600_000 } });
    const rate = { max: 5, windowMs: 1_000 };
    expectRefusal(await limits.acquire({ ...second, rate }), 'rate', 200, 200);
    await pass(200);
    expectGranted(await limits.acquire({ ...third, rate }));
  },

  'a limit that is changed or left out counts for who asks with it': async ({ limits }) => {
    const [first, second, third, fourth] = claims(4, { concurrency: 1 }) as [KeyClaim, KeyClaim, KeyClaim, KeyClaim];
    await limits.acquire(first);
    expectGranted(await limits.acquire({ ...second, concurrency: 2 }));
    expectGranted(await limits.acquire({ ...third, concurrency: undefined }));
    expectRefusal(await limits.acquire({ ...fourth, concurrency: 3 }));
    expectGranted(await limits.acquire({ ...fourth, concurrency: 4 }));
  },

  'keys and queues have limits of their own, however they are spelt': async ({ limits }) => {
    const key = randomUUID();
    const odd = [key, `${key}:`, `{${key}}`, `${key}\0`, `${key}é`, `${key}'"\\`, `~${key}`, key.padEnd(5_000, '-')];
    const asked = odd.flatMap((each) =>
      ['mail', `mail:${key}`].map((queue) => claim({ key: each, queue, concurrency: 1 })),
    );
    const verdicts = await all(limits, [...asked, claim({ key, queue: 'mail', concurrency: 1 })]);
    expectCount(verdicts, 16);
    await Promise.all(asked.map((claim) => limits.release(claim)));
  },

  'tokens may be any text': async ({ limits }) => {
    const asked = claim({ concurrency: 4, rate: { max: 10, windowMs: 60_000 } });
    const odd = ['tat', ':tat', '', 'é'.repeat(200)].map((token) => ({ ...asked, token }));
    expectGranted(...(await all(limits, odd)));
    expectRefusal(await limits.acquire(asked), 'concurrency');
    expectLost(await limits.renew([...odd, asked], 10_000), [asked]);
  },
}).map(([name, check]) => ({ name, check }));

/** Claims of jobs with one key that no other test has, in the queue `mail`, for 10 s. */
function claims(count: number, rest: Partial<KeyClaim>): KeyClaim[] {
  const shared = { queue: 'mail', key: randomUUID(), leaseMs: 10_000, ...rest };
  return Array.from({ length: count }, () => ({ ...shared, token: randomUUID() }));
}

function claim(rest: Partial<KeyClaim>): KeyClaim {
  return claims(1, rest)[0]!;
}

/** Asks with all at once, in any order. */
function all(limits: KeyLimits, asked: readonly KeyClaim[]): Promise<KeyVerdict[]> {
  return Promise.all(asked.map((claim) => limits.acquire(claim)));
}

function expectGranted(...verdicts: KeyVerdict[]): void {
  expect(verdicts).toEqual(verdicts.map(() => ({ granted: true })));
}

function expectCount(verdicts: readonly KeyVerdict[], granted: number): void {
  expect(verdicts.filter((verdict) => verdict.granted)).toHaveLength(granted);
}

function expectLost(lost: readonly KeyHold[], holds: readonly KeyHold[]): void {
  expect(new Set(lost)).toEqual(new Set(holds));
}

function expectRefusal(verdict: KeyVerdict, by?: 'concurrency' | 'rate', leastMs = 1, mostMs = Infinity): void {
  expect(verdict).toEqual({ granted: false, by: by ?? expect.any(String), retryAfterMs: expect.any(Number) });
  const { retryAfterMs } = verdict as { retryAfterMs: number };
  expect(Number.isInteger(retryAfterMs)).toBe(true);
  expect(retryAfterMs).toBeGreaterThanOrEqual(leastMs);
  expect(retryAfterMs).toBeLessThanOrEqual(mostMs);
}
