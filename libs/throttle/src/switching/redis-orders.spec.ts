import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RedisReplyError, RedisTimeoutError, type Backend, type Key } from '@roost/redis';
import { eventually } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { limitKey } from '../stores/rate-limit.keys.js';
import { RateLimitStore, type Settlement } from '../stores/rate-limit.store.js';
import { RedisOrders } from './redis-orders.js';

/** Writes down what it is told, or fails. */
class Told extends RateLimitStore {
  readonly orders: string[] = [];
  readonly failures: Error[] = [];

  async #note(action: string, keys: readonly Key[]): Promise<number> {
    this.orders.push(`${action} ${keys.map(nameOf).join(' ')}`);
    await Promise.resolve();
    const failure = this.failures.shift();
    if (failure) throw failure;
    return keys.length;
  }

  reset = (keys: readonly Key[]) => this.#note('reset', keys);
  unblock = (keys: readonly Key[]) => this.#note('unblock', keys);
  settle = (all: readonly Settlement[]) =>
    this.#note(
      `settle ${all.map(({ holdId }) => holdId).join(' ')} of`,
      all.map(({ key }) => key),
    );
  block = async (keys: readonly Key[], forMs: number) => void (await this.#note(`block ${forMs}`, keys));
  violations = () => Promise.resolve([]);
  renew = () => Promise.resolve(0);
  adjust = () => Promise.resolve([]);
  decide = () => Promise.resolve({ allowed: true, limits: [] });
}

const key = (name: string) => limitKey('gcra', 'x', name);
const nameOf = ({ name }: Key) => name.slice(name.lastIndexOf(':') + 1);
const settlement = (subject: string, holdId: string): Settlement => ({
  key: key(subject),
  algorithm: 'gcra',
  limit: 10,
  windowUs: 1_000_000,
  holdId,
  held: 1,
  cost: 0,
});

describe('RedisOrders', () => {
  let redis: Told;
  let write: string;
  let bugs: unknown[];
  let orders: RedisOrders;
  beforeEach(() => {
    jest.useFakeTimers();
    redis = new Told();
    write = 'closed';
    bugs = [];
    const backend = { state: () => ({ write }) } as unknown as Backend;
    orders = new RedisOrders(backend, redis, (error) => bugs.push(error));
  });
  afterEach(() => {
    orders.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const lose = () => (write = 'open');
  const comeBack = async (as = 'ramping') => {
    write = as;
    await jest.advanceTimersByTimeAsync(100);
  };

  it('55: tells Redis later, outside of the request that gave the order', async () => {
    jest.useRealTimers();
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const real = new RedisOrders({ state: () => ({ write }) } as unknown as Backend, redis, (error) =>
      bugs.push(error),
    );
    redis.reset = (keys) => Promise.resolve(seen.push(requests.getStore()) && keys.length);
    lose();
    await requests.run('request', () => real.reset([key('a')]));
    write = 'closed';
    await eventually(() => seen.length > 0, { within: 2_000 });
    expect(seen).toEqual([undefined]);
    real.close();
    jest.useFakeTimers();
  });

  it('tells Redis at once', async () => {
    expect(await orders.reset([key('a'), key('b')])).toBe(2);
    await orders.block([key('a')], 60_000);
    expect(await orders.settle([settlement('a', '1'), settlement('b', '1')])).toBe(2);
    expect(redis.orders).toEqual(['reset a b', 'block 60000 a', 'settle 1 1 of a b']);
    expect([orders.waiting, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('tells a lost Redis as soon as traffic ramps up, and then keeps no timer', async () => {
    lose();
    expect(await orders.reset([key('a')])).toBe(0);
    await orders.block([key('b')], 60_000);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(redis.orders).toEqual([]);
    await comeBack();
    expect(redis.orders).toEqual(['reset a', 'block 49900 b']);
    expect([orders.waiting, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('keeps what times out, and tells it again', async () => {
    redis.failures.push(new RedisTimeoutError('rate.settle', 250), new RedisTimeoutError('rate.settle', 250));
    expect(await orders.settle([settlement('a', '1')])).toBe(0);
    await jest.advanceTimersByTimeAsync(100);
    expect(orders.waiting).toBe(1);
    await jest.advanceTimersByTimeAsync(100);
    expect(redis.orders).toEqual(Array(3).fill('settle 1 of a'));
    expect(orders.waiting).toBe(0);
  });

  it('a block that is over when Redis is back leaves nothing behind', async () => {
    lose();
    await orders.block([key('a')], 5_000);
    await jest.advanceTimersByTimeAsync(5_000);
    await comeBack();
    expect(redis.orders).toEqual(['reset a']);
  });

  it('of two orders about one key the later one counts', async () => {
    lose();
    await orders.block([key('a'), key('b'), key('c')], 60_000);
    await orders.unblock([key('a')]);
    await orders.reset([key('b')]);
    await orders.reset([key('d')]);
    await orders.block([key('d')], 60_000);
    await comeBack();
    expect(redis.orders).toEqual(['block 59900 c', 'unblock a', 'reset b', 'block 59900 d']);
  });

  it('what is forgotten is not blocked either', async () => {
    lose();
    await orders.reset([key('a')]);
    await orders.unblock([key('a')]);
    await comeBack();
    expect(redis.orders).toEqual(['reset a']);
  });

  it('an order that is told at once takes the place of one that waits', async () => {
    lose();
    await orders.reset([key('a')]);
    write = 'closed';
    await orders.block([key('a')], 60_000);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(redis.orders).toEqual(['block 60000 a']);
  });

  it('an order that fails late does not take the place of a newer one', async () => {
    redis.failures.push(new RedisTimeoutError('reset', 250));
    const failing = orders.reset([key('a')]);
    lose();
    await orders.block([key('a')], 60_000);
    await failing;
    await comeBack();
    expect(redis.orders).toEqual(['reset a', 'block 59900 a']);
  });

  it('settles each hold by its own name', async () => {
    lose();
    await orders.settle([settlement('a', '1')]);
    await orders.settle([settlement('a', '2')]);
    await orders.reset([key('a')]);
    await comeBack();
    expect(redis.orders).toEqual(['settle 1 of a', 'settle 2 of a', 'reset a']); // keys of one call are distinct
  });

  it('a bug is the caller’s, and of what has waited is told and given up', async () => {
    const bug = new RedisReplyError('WRONGTYPE');
    redis.failures.push(bug);
    await expect(orders.reset([key('a')])).rejects.toBe(bug);
    lose();
    await orders.reset([key('b')]);
    redis.failures.push(bug);
    await comeBack();
    expect([bugs, orders.waiting]).toEqual([[bug], 0]);
  });

  it('gives up the oldest when too many wait, and keeps calls short', async () => {
    lose();
    await orders.reset(Array.from({ length: 10_001 }, (_, i) => key(`k${i}`)));
    expect(orders.waiting).toBe(10_000);
    await comeBack();
    expect(redis.orders).toHaveLength(20);
    expect(redis.orders[0]).toMatch(/^reset k1 k2 /);
  });

  it('keeps nothing when it is closed', async () => {
    orders.close();
    lose();
    await orders.reset([key('a')]);
    expect([orders.waiting, jest.getTimerCount()]).toEqual([0, 0]);
  });
});
