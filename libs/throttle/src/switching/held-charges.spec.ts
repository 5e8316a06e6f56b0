import { describe, expect, it } from '@jest/globals';
import { RedisReplyError, RedisTimeoutError } from '@roost/redis';
import { eventually } from '@roost/testing';
import type { Limit } from '../policies/limit.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { RateLimitStore } from '../stores/rate-limit.store.js';
import type { HeldCharge } from './held-charge.js';
import { HeldCharges } from './held-charges.js';
import type { Charge } from './rate-limit.switch.js';
import type { RedisOrders } from './redis-orders.js';

const charge = (limit: Partial<Limit>, cost = 1) =>
  ({ limit: { algorithm: 'gcra', count: 'all', ...limit }, cost }) as unknown as Charge;

function setUp(orders: Partial<RedisOrders> = {}) {
  const bugs: unknown[] = [];
  const store = {} as RateLimitStore;
  const stores = { redis: store, memory: store, insurance: store };
  return { bugs, store, charges: new HeldCharges(stores, orders as RedisOrders, (error) => bugs.push(error)) };
}

describe('HeldCharges', () => {
  it('gives each request a name of its own, also among processes, of at most 22 bytes', () => {
    const names = [setUp(), setUp()].flatMap(({ charges }) =>
      Array.from({ length: 1_000 }, () => charges.forReservation([charge({})], 1_000)[0]!.hold!.id),
    );
    expect(new Set(names).size).toBe(2_000);
    expect(names.every((name) => /^[\w-]{13,22}$/.test(name))).toBe(true);
  });

  it('of a request holds what its limits settle, until they do', () => {
    const { charges } = setUp();
    const plain = [charge({}), charge({})];
    expect(charges.forRequest(plain)).toBe(plain);
    const mixed = [
      charge({}),
      charge({ count: 'failure' }),
      charge({ algorithm: 'concurrency' }),
      charge({ count: 'success' }, 0),
    ];
    expect(charges.forRequest(mixed).map(({ hold }) => hold?.expiresMs)).toEqual([undefined, null, null, undefined]);
  });

  it('of a reservation holds all, slots until they are settled', () => {
    const reserved = setUp().charges.forReservation([charge({}), charge({ algorithm: 'concurrency' })], 5_000);
    expect(reserved.map(({ hold }) => hold?.expiresMs)).toEqual([5_000, null]);
  });

  it('renews the slots of others when one cannot be', async () => {
    const { charges, bugs, store } = setUp();
    const renewed: string[] = [];
    store.renew = (slots) => {
      const names = slots.map(({ holdId }) => holdId);
      if (names.includes('foreign')) return Promise.reject(new RedisReplyError('ROOST foreign value'));
      renewed.push(...names);
      return Promise.resolve(names.length);
    };
    const slot = (holdId: string) => {
      const settlement = { key: limitKey('concurrency', 'x', holdId), windowUs: 30_000, holdId, held: 1 };
      return { limit: { algorithm: 'concurrency' }, place: 'redis', settlement } as unknown as HeldCharge;
    };
    charges.keep(['a', 'foreign', 'b'].map(slot));
    await eventually(() => renewed.length >= 2, { within: 2_000 });
    charges.close();
    expect(renewed.slice(0, 2)).toEqual(['a', 'b']);
    expect(bugs.length).toBeGreaterThan(0);
  });

  it.each([new RedisReplyError('WRONGTYPE'), new RedisTimeoutError('settle', 250)])(
    'never rejects, and tells what is wrong (%s)',
    async (error) => {
      const { charges, bugs } = setUp({ settle: () => Promise.reject(error) });
      const held = { limit: { algorithm: 'gcra' }, place: 'redis', settlement: {} } as HeldCharge;
      expect(await charges.settle([held], () => 0)).toBe(0);
      expect(bugs).toEqual([error]);
    },
  );
});
