import { SessionUnavailableError } from '../session.errors.js';
import { ExpiringMap } from './expiring-map.js';

describe('ExpiringMap', () => {
  const clock = { ms: 0 };
  const now = () => clock.ms;

  it('refuses what comes when it is full, so that nobody can push out what counts', () => {
    const map = new ExpiringMap<number>(now, 'refuse', 3);
    for (const [index, name] of ['a', 'b', 'c'].entries()) map.set(name, index, 1_000);
    expect(() => map.set('d', 3, 1_000)).toThrow(SessionUnavailableError);
    map.set('a', 9, 1_000);
    expect([map.find('a')?.value, map.size]).toEqual([9, 3]);
  });

  it('takes more when what it has is over, without being asked for it', () => {
    const map = new ExpiringMap<number>(now, 'refuse', 3);
    for (const [index, name] of ['a', 'b', 'c'].entries()) map.set(name, index, 1_000);
    clock.ms += 1_000;
    map.set('d', 3, 1_000);
    expect(map.find('d')?.value).toBe(3);
  });

  it('forgets what was set first, where that can be asked for again', () => {
    const map = new ExpiringMap<number>(now, 'forget', 2);
    for (const [index, name] of ['a', 'b', 'c'].entries()) map.set(name, index, 1_000);
    expect([map.find('a'), map.find('c')?.value]).toEqual([undefined, 2]);
  });
});
