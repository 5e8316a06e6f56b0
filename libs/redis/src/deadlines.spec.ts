import { Deadlines } from './deadlines.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('Deadlines', () => {
  it('expires each call after its time, in order, and none that has ended', async () => {
    const deadlines = new Deadlines(30);
    const expired: string[] = [];
    deadlines.start(() => expired.push('a'));
    deadlines.start(() => expired.push('ended'))();
    await pause(15);
    deadlines.start(() => expired.push('b'));
    await pause(20);
    expect(expired).toEqual(['a']);
    await pause(25);
    expect(expired).toEqual(['a', 'b']);
  });

  it('works again after it was idle', async () => {
    const deadlines = new Deadlines(10);
    let expired = 0;
    for (let round = 0; round < 3; round++) {
      deadlines.start(() => expired++);
      await pause(25);
    }
    expect(expired).toBe(3);
  });

  it('does not blame Redis for a stall of this process: what has arrived meanwhile is read first', async () => {
    const deadlines = new Deadlines(20);
    let outcome = 'waiting';
    const stop = deadlines.start(() => (outcome = 'expired'));
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
    deadlines.start(() => (expired = true));
    const until = performance.now() + 150;
    while (performance.now() < until);
    await pause(100);
    expect(expired).toBe(true);
  });
});
