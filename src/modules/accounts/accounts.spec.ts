import { Clock } from '../../common/clock.js';
import { BoundedExpiringMap } from './bounded-expiring-map.js';
import { Codes } from './codes.js';
import { SESSION_TTL_MS, Sessions } from './sessions.js';

class HandClock extends Clock {
  time = 1_000_000;
  override now(): number {
    return this.time;
  }
}

function other(code: string): string {
  return code === '000000' ? '000001' : '000000';
}

describe('Codes', () => {
  const clock = new HandClock();
  const codes = new Codes(clock);

  it('issues six digits that are good once', () => {
    const code = codes.issue('ann');
    expect(code).toMatch(/^\d{6}$/);
    expect(codes.verify('ann', code)).toBe(true);
    expect(codes.verify('ann', code)).toBe(false);
  });

  it('takes a code of its own user only', () => {
    const code = codes.issue('ann');
    codes.issue('bob');
    expect(codes.verify('bob', code)).toBe(false);
    expect(codes.verify('nobody', code)).toBe(false);
    expect(codes.verify('ann', code)).toBe(true);
  });

  it('voids the former code when a new one is issued', () => {
    const former = codes.issue('ann');
    const code = codes.issue('ann');
    expect(codes.verify('ann', former)).toBe(former === code);
    expect(codes.verify('ann', codes.issue('ann'))).toBe(true);
  });

  it('allows four wrong tries and the right one', () => {
    const code = codes.issue('ann');
    for (let i = 0; i < 4; i++) expect(codes.verify('ann', other(code))).toBe(false);
    expect(codes.verify('ann', code)).toBe(true);
  });

  it('refuses the right code after five wrong tries', () => {
    const code = codes.issue('ann');
    for (let i = 0; i < 5; i++) codes.verify('ann', other(code));
    expect(codes.verify('ann', code)).toBe(false);
  });

  it('lets a code die after exactly five minutes', () => {
    const early = codes.issue('ann');
    const late = codes.issue('bob');
    clock.time += 5 * 60_000 - 1;
    expect(codes.verify('ann', early)).toBe(true);
    clock.time += 1;
    expect(codes.verify('bob', late)).toBe(false);
  });
});

describe('Sessions', () => {
  const clock = new HandClock();
  const sessions = new Sessions(clock);

  it('knows a user by the id of the session until it ends', () => {
    const id = sessions.start('ann');
    expect(Buffer.from(id, 'base64url')).toHaveLength(32);
    expect(sessions.userOf(id)).toBe('ann');
    sessions.end(id);
    expect(sessions.userOf(id)).toBeUndefined();
  });

  it('keeps the sessions of one user apart', () => {
    const [phone, laptop] = [sessions.start('ann'), sessions.start('ann')];
    sessions.end(phone);
    expect(sessions.userOf(laptop)).toBe('ann');
  });

  it('knows nobody by no id, and forgets after a day', () => {
    expect(sessions.userOf(undefined)).toBeUndefined();
    expect(sessions.userOf('')).toBeUndefined();
    const id = sessions.start('ann');
    clock.time += SESSION_TTL_MS;
    expect(sessions.userOf(id)).toBeUndefined();
  });
});

describe('BoundedExpiringMap', () => {
  it('never holds more than its limit, and lets the oldest go', () => {
    const map = new BoundedExpiringMap<number>(1_000, 3, () => 0);
    for (let i = 0; i < 5; i++) map.set(`k${i}`, i);
    expect(map.size).toBe(3);
    expect([map.get('k1'), map.get('k2'), map.get('k4')]).toEqual([undefined, 2, 4]);
  });

  it('counts a renewed entry as the newest', () => {
    const map = new BoundedExpiringMap<number>(1_000, 2, () => 0);
    for (const key of ['a', 'b', 'a', 'c']) map.set(key, 1);
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 1]);
  });

  it('gives back the room of what has expired', () => {
    let now = 0;
    const map = new BoundedExpiringMap<number>(1_000, 100, () => now);
    for (let i = 0; i < 50; i++) map.set(`k${i}`, i);
    now = 1_000;
    map.set('new', 1);
    expect(map.size).toBe(1);
  });
});
