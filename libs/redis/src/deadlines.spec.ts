import { AsyncLocalStorage } from 'node:async_hooks';
import { Deadlines, type Expiring } from './deadlines.js';

/** A call that says when it is given up. */
function call(deadlines: Deadlines, expire: () => unknown): () => void {
  const each: Expiring = { endsAt: 0, before: undefined, after: undefined, expire: () => void expire() };
  deadlines.start(each, performance.now());
  return () => deadlines.stop(each);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('Deadlines', () => {
  afterEach(() => void jest.useRealTimers());

  it('expires each call after its time, in order, and none that has ended', async () => {
    jest.useFakeTimers();
    const deadlines = new Deadlines(30);
    const expired: string[] = [];
    call(deadlines, () => expired.push('a'));
    call(deadlines, () => expired.push('ended'))();
    await jest.advanceTimersByTimeAsync(15);
    call(deadlines, () => expired.push('b'));
    await jest.advanceTimersByTimeAsync(20);
    expect(expired).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(25);
    expect(expired).toEqual(['a', 'b']);
  });

  it('takes calls out of the middle, the front and the end', async () => {
    jest.useFakeTimers();
    const deadlines = new Deadlines(20);
    const expired: number[] = [];
    const stops = Array.from({ length: 6 }, (_, index) => call(deadlines, () => expired.push(index)));
    for (const index of [2, 0, 5]) stops[index]!();
    call(deadlines, () => expired.push(6));
    await jest.advanceTimersByTimeAsync(45);
    expect(expired).toEqual([1, 3, 4, 6]);
  });

  it('belongs to no request, although one began it', async () => {
    const requests = new AsyncLocalStorage<string>();
    const deadlines = new Deadlines(5);
    const seen: unknown[] = [];
    requests.run('first', () => call(deadlines, () => seen.push(requests.getStore())));
    requests.run('second', () => call(deadlines, () => seen.push(requests.getStore())));
    await pause(30);
    expect(seen).toEqual([undefined, undefined]);
  });

  it('works again after it was idle', async () => {
    jest.useFakeTimers();
    const deadlines = new Deadlines(10);
    let expired = 0;
    for (let round = 0; round < 3; round++) {
      call(deadlines, () => expired++);
      await jest.advanceTimersByTimeAsync(25);
    }
    expect(expired).toBe(3);
  });

  it('does not blame Redis for a stall of this process: what has arrived meanwhile is read first', async () => {
    const deadlines = new Deadlines(20);
    let outcome = 'waiting';
    const stop = call(deadlines, () => (outcome = 'expired'));
    setImmediate(() => {
      const until = performance.now() + 150;
      while (performance.now() < until);
      setImmediate(() => {
        stop(); // the reply, read in the first turn after the stall
        outcome = 'answered';
      });
    });
    await pause(60);
    await pause(180);
    expect(outcome).toBe('answered');
  });

  it('still expires after a stall what never arrives', async () => {
    const deadlines = new Deadlines(20);
    let expired = false;
    call(deadlines, () => (expired = true));
    const until = performance.now() + 150;
    while (performance.now() < until);
    await pause(100);
    expect(expired).toBe(true);
  });
});
