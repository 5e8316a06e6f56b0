import { FakeQueueClock, SystemQueueClock } from './queue-clock.js';

describe('FakeQueueClock', () => {
  it('runs what is due, in the order of time, each at its own', async () => {
    const clock = new FakeQueueClock(1_000);
    const ran: unknown[] = [];
    const note = (name: string) => () => void ran.push([name, clock.now()]);
    clock.setTimeout(note('late'), 300);
    clock.setTimeout(note('soon'), 100);
    clock.setTimeout(note('same'), 100);
    clock.clearTimeout(clock.setTimeout(note('never'), 50));
    clock.setTimeout(note('beyond'), 301);
    await clock.advance(300);
    expect(ran).toEqual([
      ['soon', 1_100],
      ['same', 1_100],
      ['late', 1_300],
    ]);
    expect(clock.now()).toBe(1_300);
  });

  it('lets others act on what became due before it goes on, and runs what they set', async () => {
    const clock = new FakeQueueClock(0);
    const ran: number[] = [];
    const again = async () => {
      await new Promise(setImmediate);
      ran.push(clock.now());
      clock.setTimeout(() => void again(), 100);
    };
    clock.setTimeout(() => void again(), 100);
    await clock.advance(350);
    expect(ran).toEqual([100, 200, 300]);
  });

  it('begins now', () => {
    expect(Math.abs(new FakeQueueClock().now() - Date.now())).toBeLessThan(1_000);
  });
});

describe('SystemQueueClock', () => {
  afterEach(() => void jest.useRealTimers());

  it('follows fake timers', () => {
    const clock = new SystemQueueClock();
    jest.useFakeTimers({ now: 5_000 });
    let ran = 0;
    clock.setTimeout(() => ran++, 100);
    clock.clearTimeout(clock.setTimeout(() => ran++, 50));
    jest.advanceTimersByTime(100);
    expect([ran, clock.now()]).toEqual([1, 5_100]);
  });
});
