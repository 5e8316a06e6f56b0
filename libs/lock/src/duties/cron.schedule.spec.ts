import { describe, expect, it } from '@jest/globals';
import { atEachFire, CronSchedule } from './cron.schedule.js';
import { FakeTime } from '../conformance/fake-time.js';

const at = (iso: string) => Date.parse(iso);
const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());

function firesOf(pattern: string, timeZone: string, from: string, count: number) {
  const schedule = new CronSchedule(pattern, timeZone);
  const fires = [];
  for (let ms: number | undefined = at(from); fires.length < count && ms !== undefined;) {
    ms = schedule.after(ms);
    fires.push(iso(ms));
  }
  return fires;
}

describe('CronSchedule', () => {
  it('fires by the clock of its time zone', () => {
    expect(firesOf('0 3 * * *', 'UTC', '2026-06-01T12:00Z', 1)).toEqual(['2026-06-02T03:00:00.000Z']);
    expect(firesOf('0 3 * * *', 'Europe/Berlin', '2026-06-01T12:00Z', 1)).toEqual(['2026-06-02T01:00:00.000Z']);
  });

  it('fires once for a fixed time that summer time leaves out or brings twice', () => {
    expect(firesOf('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T01:00:00.000Z', // 02:30 does not exist: the first that does, 03:00
      '2026-03-30T00:30:00.000Z',
    ]);
    expect(firesOf('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z', // not again at 01:30 UTC, which is also 02:30
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it('keeps intervals when summer time ends', () => {
    expect(firesOf('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:10Z', 4)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ]);
  });

  it.each([
    ['x', 'UTC', /invalid configuration format/],
    ['61 * * * *', 'UTC', /Invalid value for minute/],
    ['0 0 30 2 *', 'UTC', /never fires/],
    ['0 3 * * *', 'Mars/Olympus', /Invalid time zone/],
  ])('refuses %s in %s', (pattern, timeZone, problem) => {
    expect(() => new CronSchedule(pattern, timeZone)).toThrow(problem);
  });
});

describe('atEachFire', () => {
  const everyMinute = new CronSchedule('* * * * *', 'UTC');

  function start(time: FakeTime, lateMs = 15_000) {
    const fires: (string | undefined)[] = [];
    const stop = atEachFire(everyMinute, lateMs, time.clock(), (ms) => fires.push(iso(ms)));
    return { fires, stop };
  }

  it('calls at each fire, and not before', async () => {
    const time = new FakeTime('2026-06-01T12:00:30Z');
    const { fires, stop } = start(time);
    await time.advance(29_999);
    expect(fires).toEqual([]);
    await time.advance(1);
    await time.advance(60_000);
    expect(fires).toEqual(['2026-06-01T12:01:00.000Z', '2026-06-01T12:02:00.000Z']);
    stop();
    await time.advance(600_000);
    expect(fires).toHaveLength(2);
    expect(time.timers).toBe(0);
  });

  it('waits for a fire that is far away', async () => {
    const time = new FakeTime('2026-12-01T12:00:00Z');
    const fires: number[] = [];
    const stop = atEachFire(new CronSchedule('0 0 1 1 *', 'UTC'), 15_000, time.clock(), (ms) => fires.push(ms));
    await time.advance(at('2027-01-01T00:00Z') - at('2026-12-01T12:00Z') - 1);
    expect(fires).toEqual([]);
    await time.advance(1);
    expect(fires).toEqual([at('2027-01-01T00:00Z')]);
    stop();
  });

  it('does not make up what it slept through, but for what is late by little', async () => {
    const time = new FakeTime('2026-06-01T12:00:30Z');
    const { fires } = start(time, 70_000);
    time.sleep(3_600_000 + 40_000); // till 13:01:10: its timers come when the machine wakes
    await time.advance(0);
    expect(fires).toEqual(['2026-06-01T12:01:00.000Z', '2026-06-01T13:00:00.000Z', '2026-06-01T13:01:00.000Z']);
  });

  it('fires once for each time when the clock is stepped back, and notices a step forward within a minute', async () => {
    const time = new FakeTime('2026-06-01T12:00:30Z');
    const { fires } = start(time);
    await time.advance(30_000);
    time.step(-30_000);
    await time.advance(30_000);
    expect(fires).toEqual(['2026-06-01T12:01:00.000Z']);
    time.step(20_000);
    await time.advance(40_000);
    expect(fires).toEqual(['2026-06-01T12:01:00.000Z', '2026-06-01T12:02:00.000Z']);
  });
});
