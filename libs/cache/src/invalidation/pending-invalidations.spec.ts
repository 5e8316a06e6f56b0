import { RedisUnavailableError } from '@roost/redis';
import { PendingInvalidations, type Replay } from './pending-invalidations.js';

/** Notes what is told; each call waits until it is let go, and fails when `down`. */
class Told implements Replay {
  readonly calls: string[] = [];
  readonly errors: unknown[] = [];
  down = false;
  during: (() => void) | undefined;

  possible(): boolean {
    return !this.down;
  }
  removeKeys(keys: readonly string[]): Promise<void> {
    return this.#take(`keys ${keys.join()}`);
  }
  bumpTags(tags: readonly string[]): Promise<void> {
    return this.#take(`tags ${tags.join()}`);
  }
  clear(): Promise<void> {
    return this.#take('all');
  }
  onError(error: unknown): void {
    this.errors.push(error);
  }

  async #take(call: string): Promise<void> {
    this.calls.push(call);
    const during = this.during;
    this.during = undefined;
    await Promise.resolve();
    during?.();
  }
}

describe('pending invalidations', () => {
  const open = (most = 100) => {
    const told = new Told();
    return { told, pending: new PendingInvalidations(most, told) };
  };

  it('39: are told once Redis may listen, and then are none', async () => {
    const { told, pending } = open();
    told.down = true;
    pending.addKeys(['a', 'b']);
    pending.addTags(['t']);
    await pending.tryNow();
    expect([told.calls, pending.size]).toEqual([[], 3]);
    told.down = false;
    await pending.tryNow();
    expect([told.calls, pending.size]).toEqual([['tags t', 'keys a,b'], 0]);
    await pending.close();
  });

  it.each([
    ['a key', (pending: PendingInvalidations) => pending.addKeys(['a']), ['keys a', 'keys a']],
    ['a tag', (pending: PendingInvalidations) => pending.addTags(['a']), ['tags a', 'tags a']],
    ['everything', (pending: PendingInvalidations) => pending.addAll(), ['all', 'all']],
  ])('39: %s that is invalidated while that is told is told again', async (_what, add, expected) => {
    const { told, pending } = open();
    add(pending);
    told.during = () => add(pending);
    await pending.tryNow();
    expect([told.calls, pending.size]).toEqual([expected, 0]);
    await pending.close();
  });

  it.each([
    ['a key', (pending: PendingInvalidations) => pending.addKeys(['a'])],
    ['a tag', (pending: PendingInvalidations) => pending.addTags(['a'])],
  ])('39: so is %s that is invalidated while everything is', async (_what, add) => {
    const { told, pending } = open();
    pending.addAll();
    told.during = () => add(pending);
    await pending.tryNow();
    expect(told.calls.length).toBe(2);
    expect(pending.size).toBe(0);
    await pending.close();
  });

  it('40: one more than is kept invalidates everything, once', async () => {
    const { told, pending } = open(10_000);
    told.down = true;
    pending.addKeys(Array.from({ length: 10_000 }, (_, index) => `${index}`));
    expect(pending.size).toBe(10_000);
    pending.addTags(['one more']);
    expect(pending.size).toBe(1);
    pending.addKeys(['and more']);
    expect(pending.size).toBe(1);
    told.down = false;
    await pending.tryNow();
    expect([told.calls, pending.size]).toEqual([['all'], 0]);
    await pending.close();
  });

  it('are sent in batches', async () => {
    const { told, pending } = open(1_000);
    pending.addKeys(Array.from({ length: 450 }, (_, index) => `${index}`));
    await pending.tryNow();
    expect(told.calls).toHaveLength(3);
    await pending.close();
  });

  it('stay when they cannot be told, are tried again, and what is no outage is reported', async () => {
    const { told, pending } = open();
    const fails = jest.spyOn(told, 'removeKeys').mockRejectedValueOnce(new Error('OOM'));
    fails.mockRejectedValueOnce(new RedisUnavailableError('timeout', 'away', true));
    pending.addKeys(['a']);
    await pending.tryNow();
    await pending.tryNow();
    expect([told.errors, pending.size]).toEqual([[new Error('OOM')], 1]);
    await new Promise((resolve) => setTimeout(resolve, 150)); // its own timer has a period of 100 ms
    expect([told.calls, pending.size]).toEqual([['keys a'], 0]);
    await pending.close();
  });

  it('are told once more at the end, and no timer stays', async () => {
    const { told, pending } = open();
    told.down = true;
    pending.addKeys(['a']);
    told.down = false;
    await pending.close();
    expect([told.calls, pending.size]).toEqual([['keys a'], 0]);
  });
});
