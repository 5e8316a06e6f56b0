import { MemoryEntries } from './memory-entries.js';

describe('MemoryEntries', () => {
  it('drops what was used longest ago when there is no room', async () => {
    const entries = new MemoryEntries(1_200);
    const text = 'x'.repeat(100); // 362 bytes with its name
    for (const name of ['a', 'b', 'c']) await entries.set(name, text, 'PX', 1_000);
    await entries.get('a');
    await entries.set('d', text, 'PX', 1_000);
    expect([await entries.get('a'), await entries.get('b')]).toEqual([text, null]);
    expect(entries.bytes).toBe(3 * 362);
    await entries.set('e', 'x'.repeat(2_000), 'PX', 1_000);
    expect([await entries.exists('e'), entries.size]).toEqual([false, 3]);
    await entries.set('a', 'x'.repeat(2_000), 'PX', 1_000); // the old value is not served either
    expect(await entries.exists('a')).toBe(false);
    entries.close();
    expect([entries.size, entries.bytes]).toEqual([0, 0]);
  });

  it('keeps nothing that has expired', async () => {
    let now = 0;
    const entries = new MemoryEntries(1_000_000, () => now);
    for (let i = 0; i < 1_000; i++) await entries.set(`k${i}`, 'x', 'PX', i < 999 ? 100 : 200);
    now = 100;
    expect([await entries.exists('k0'), await entries.unlink('k1'), await entries.get('k2')]).toEqual([
      false,
      false,
      null,
    ]);
    entries.sweep();
    expect(entries.size).toBe(1);
    now = 200;
    for await (const names of entries.scan('k')) expect(names).toEqual([]);
    expect(entries.bytes).toBe(0);
    entries.close();
  });

  it('sweeps by itself', async () => {
    jest.useFakeTimers();
    const entries = new MemoryEntries(1_000_000);
    await entries.set('a', 'x', 'PX', 5_000);
    jest.advanceTimersByTime(10_000);
    expect([entries.size, jest.getTimerCount()]).toEqual([0, 0]);
    jest.useRealTimers();
  });
});
