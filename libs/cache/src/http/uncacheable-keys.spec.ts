import { UncacheableKeys } from './uncacheable-keys.js';

describe('keys whose responses cannot be shared', () => {
  afterEach(() => jest.useRealTimers());

  it('are remembered for ten seconds', () => {
    jest.useFakeTimers();
    const keys = new UncacheableKeys();
    keys.add('a');
    jest.advanceTimersByTime(9_999);
    expect(keys.has('a')).toBe(true);
    jest.advanceTimersByTime(2);
    expect([keys.has('a'), keys.size]).toEqual([false, 0]);
  });

  it('57: are no more than ten thousand, the latest', () => {
    const keys = new UncacheableKeys();
    for (let i = 0; i < 10_005; i++) keys.add(String(i));
    expect([keys.size, keys.has('4'), keys.has('5'), keys.has('10004')]).toEqual([10_000, false, true, true]);
  });
});
