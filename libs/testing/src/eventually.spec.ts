import { eventually } from './eventually.js';

describe('eventually', () => {
  it('gives back the first result that is not falsy', async () => {
    const results = [false, 0, null, 'ready', 'later'];
    expect(await eventually(() => results.shift() ?? false, { within: 1_000, every: 1 })).toBe('ready');
  });

  it('takes a block of expectations that passes at last', async () => {
    let calls = 0;
    await eventually(() => expect(++calls).toBe(3), { within: 1_000, every: 1 });
    expect(calls).toBe(3);
  });

  it('rejects with the last error, not long after the time is up', async () => {
    let calls = 0;
    const startedAt = performance.now();
    const poll = eventually(() => Promise.reject(new Error(`failed ${++calls}`)), { within: 60, every: 5 });
    await expect(poll).rejects.toThrow(/^failed \d+$/);
    await expect(poll).rejects.toThrow(`failed ${calls}`);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it('says what it saw when nothing was thrown', async () => {
    await expect(eventually(() => false, { within: 20, every: 5 })).rejects.toThrow('Still false after 20 ms');
  });

  it('gives up on a call that hangs', async () => {
    const poll = eventually(() => new Promise<boolean>(() => {}), { within: 30 });
    await expect(poll).rejects.toThrow('Still waiting for the call to end');
  });

  it('tries at least once', async () => {
    expect(await eventually(() => true, { within: 0 })).toBe(true);
  });
});
