import { LockUnavailableError } from '../lock.errors.js';
import { LockStore, type ExtendOutcome, type LockHold } from '../stores/lock.store.js';
import { Stopwatch, type Clock } from './clock.js';
import { Farewell } from './farewell.js';
import { HeldLock, type LockSurroundings } from './held-lock.js';
import { LockKeeper } from './lock.keeper.js';

/** A clock that stands until it is moved; both of its hands can be moved apart. */
class HandClock implements Clock {
  mono = 1_000;
  walled = 1_700_000_000_000;
  monotonic = () => this.mono;
  wall = () => this.walled;
  pass(ms: number): void {
    this.mono += ms;
    this.walled += ms;
  }
}

/** A store whose answers to renewals the test gives. */
class AnsweringStore extends LockStore {
  readonly name = 'redis';
  readonly asked: { again: boolean; answer: (outcome: ExtendOutcome | Error) => void }[] = [];
  readonly withdrawn: string[] = [];
  acquire = jest.fn();
  inspect = jest.fn();
  force = jest.fn();
  release = jest.fn();
  onTurn = () => () => undefined;
  raise = () => undefined;
  async withdraw({ holder }: { holder: string }): Promise<void> {
    this.withdrawn.push(holder);
  }
  extend(holds: readonly LockHold[], again = false): Promise<readonly ExtendOutcome[]> {
    return new Promise((resolve, reject) => {
      const answer = (outcome: ExtendOutcome | Error) =>
        outcome instanceof Error ? reject(outcome) : resolve(holds.map(() => outcome));
      this.asked.push({ again, answer });
    });
  }
}

const TTL = 1_000;
const usableMs = (ttlMs: number) => ttlMs - ttlMs * 0.01 - 2 - 50;

function setUp() {
  const clock = new HandClock();
  const store = new AnsweringStore();
  const farewell = new Farewell(() => undefined);
  const renewals: string[] = [];
  const keeper = new LockKeeper(
    clock,
    farewell,
    (bug) => renewals.push(String(bug)),
    (each) => renewals.push(each),
  );
  const around: LockSurroundings = {
    clock,
    assuranceOf: () => 'lease',
    usableMs,
    release: async (lock) => keeper.forget(lock),
    lost: (lock) => keeper.forget(lock),
    expireIn: async () => undefined,
    transaction: () => Promise.reject(new Error('not here')),
  };
  const take = (asked = new Stopwatch(clock)) => {
    const hold: LockHold = {
      kind: 'mutex',
      keys: ['a'],
      holder: 'here.1',
      ttlMs: TTL,
      weight: 1,
      limit: 1,
      wait: false,
      token: 5n,
    };
    const lock = new HeldLock({ hold, store, asked, doubtful: false }, true, around);
    keeper.watch(lock);
    return lock;
  };
  return { clock, store, keeper, renewals, take };
}

/** Lets time pass on the clock and for the timers alike. */
async function pass(clock: HandClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5) {
    clock.pass(Math.min(5, left));
    await jest.advanceTimersByTimeAsync(Math.min(5, left));
  }
}

describe('LockKeeper', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('4: aborts 938 ms after the request was sent when the store is silent for ever', async () => {
    const { clock, take } = setUp();
    const asked = new Stopwatch(clock);
    await pass(clock, 40); // the answer took so long: it does not count
    const lock = take(asked);
    let abortedAt = 0;
    const sentAt = clock.mono - 40;
    lock.signal.addEventListener('abort', () => (abortedAt = clock.mono - sentAt));
    await pass(clock, 1_100);
    expect(abortedAt).toBeGreaterThanOrEqual(938);
    expect(abortedAt).toBeLessThanOrEqual(938 + 15);
    expect(lock).toMatchObject({ held: false, state: 'lost' });
  });

  it('5: knows that it is lost before any timer has fired', () => {
    const { clock, take } = setUp();
    const lock = take();
    clock.pass(3_000); // the event loop was busy
    expect(lock.held).toBe(false);
    expect(() => lock.assertHeld()).toThrow('could not be renewed in time');
  });

  it('22: a wall clock that is stepped back changes nothing, one that is stepped forward loses it', () => {
    const { clock, take } = setUp();
    const back = take();
    clock.walled -= 3_600_000;
    clock.mono += 900;
    expect(back.held).toBe(true);
    clock.mono += 40;
    expect(back.held).toBe(false);
    const forward = take();
    clock.walled += 3_600_000;
    expect(forward.held).toBe(false);
  });

  it('23: a suspend, in which only the wall clock goes on, loses it', () => {
    const { clock, take } = setUp();
    const lock = take();
    clock.walled += 60_000;
    expect(() => lock.assertHeld()).toThrow('lost');
  });

  it('8: one renewal without an answer makes it uncertain, the next one healthy', async () => {
    const { clock, store, take } = setUp();
    const lock = take();
    const states = new Set<string>();
    await pass(clock, 340);
    expect(store.asked).toHaveLength(1);
    await pass(clock, 175); // a sixth of the ttl: the second try goes another way
    states.add(lock.state);
    expect(store.asked.map(({ again }) => again)).toEqual([false, true]);
    store.asked[1]!.answer('extended');
    await pass(clock, 5);
    states.add(lock.state);
    expect([...states]).toEqual(['uncertain', 'healthy']);
    expect(lock.signal.aborted).toBe(false);
    await pass(clock, 450); // past the first deadline
    expect(lock.held).toBe(true);
  });

  it('tries again when both ways failed, until its time is over', async () => {
    const { clock, store, take, renewals } = setUp();
    const lock = take();
    await pass(clock, 340);
    for (let i = 0; i < 20 && lock.held; i++) {
      store.asked.at(-1)!.answer(new LockUnavailableError(new Error('refused')));
      await pass(clock, 50);
    }
    expect(lock.held).toBe(false);
    expect(store.asked.length).toBeGreaterThan(4);
    expect(renewals).toContain('failed');
    const asked = store.asked.length;
    await pass(clock, 2_000);
    expect(store.asked).toHaveLength(asked); // nothing is renewed any more
  });

  it('10: a renewal that is answered after the release is taken back', async () => {
    const { clock, store, take } = setUp();
    const lock = take();
    await pass(clock, 340);
    await lock.release();
    store.asked[0]!.answer('reclaimed');
    await pass(clock, 5);
    expect(store.withdrawn).toEqual(['here.1']);
    expect(lock.state).toBe('released');
  });

  it('13: a renewal that gave no more time leaves the deadline where it was, and is tried again', async () => {
    const { clock, store, take } = setUp();
    const lock = take();
    const deadline = lock.deadline.getTime();
    await pass(clock, 340);
    store.asked[0]!.answer('unsettled');
    await pass(clock, 5);
    expect([lock.state, lock.deadline.getTime()]).toEqual(['uncertain', deadline]);
    await pass(clock, 100);
    store.asked[1]!.answer('extended');
    await pass(clock, 5);
    expect(lock.state).toBe('healthy');
    expect(lock.deadline.getTime()).toBeGreaterThan(deadline);
  });

  it('17: a renewal that is answered after the deadline does not bring the lock back', async () => {
    const { clock, store, take } = setUp();
    const lock = take();
    await pass(clock, 340);
    clock.pass(5_000); // stopped, and gone on
    store.asked[0]!.answer('reclaimed');
    await pass(clock, 5);
    expect(lock.state).toBe('lost');
    expect(store.withdrawn).toContain('here.1');
  });

  it('counts a renewal from before it was sent, not from its answer', async () => {
    const { clock, store, take } = setUp();
    const lock = take();
    await pass(clock, 340);
    await pass(clock, 150);
    store.asked[0]!.answer('extended');
    await pass(clock, 5);
    expect(lock.leftMs).toBeLessThanOrEqual(938 - 150);
  });

  it('renews what is due together in one command', async () => {
    const { clock, store, take, keeper } = setUp();
    for (let i = 0; i < 50; i++) take();
    await pass(clock, 340);
    expect(store.asked).toHaveLength(1);
    expect(keeper.size).toBe(50);
  });

  it('keeps the others alive when the store finds one of them wrong', async () => {
    const { clock, store, take, renewals } = setUp();
    const locks = Array.from({ length: 9 }, () => take());
    const wrong = locks[4]!.hold;
    const extend = jest.spyOn(store, 'extend').mockImplementation(async (holds) => {
      if (holds.includes(wrong)) throw new Error('WRONGTYPE');
      return holds.map(() => 'extended');
    });
    await pass(clock, 1_500);
    expect(locks.map(({ held }) => held)).toEqual(locks.map(({ hold }) => hold !== wrong));
    expect(renewals).toContain('Error: WRONGTYPE');
    expect(extend.mock.calls.length).toBeLessThan(100);
  });
});
