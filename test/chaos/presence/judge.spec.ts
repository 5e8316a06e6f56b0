import { wronglyGone, type ToldLeave } from './judge.js';
import type { Hold, Pause } from './timeline.js';

const patience = { goneAfterMs: 10_000, silentMs: 3_000 };
const leave: ToldLeave = { userId: 'ann', room: 'lobby', at: 100_000, version: 7, by: 'web1.1', partial: false };
const hold = (from: number, until = Infinity, over: Partial<Hold> = {}): Hold => {
  return { userId: 'ann', room: 'lobby', life: 'web1.1', from, until, onPurpose: false, ...over };
};
const wrong = (holds: Hold[], pauses: Pause[] = [], told = leave) =>
  wronglyGone([told], { holds, pauses, faults: [] }, patience).length;

describe('whoever is told to be gone', () => {
  it('was away for as long as users are waited for', () => {
    expect([wrong([hold(0, 93_000)]), wrong([hold(0, 94_000)]), wrong([])]).toEqual([0, 1, 0]);
    expect(wrong([hold(0, 80_000), hold(87_000)])).toBe(0); // was away, and is back
    expect(wrong([hold(0, 80_000), hold(86_000)])).toBe(1); // a reload
  });

  it('had no other device in the meantime', () => {
    expect(wrong([hold(0, 80_000), hold(70_000)])).toBe(1);
    expect(wrong([hold(0, 80_000), hold(70_000, Infinity, { userId: 'ben' })])).toBe(0);
    expect(wrong([hold(0, 80_000), hold(70_000, Infinity, { room: 'hall' })])).toBe(0);
  });

  it('or left on purpose, with the last device', () => {
    expect(wrong([hold(0, 99_900, { onPurpose: true })])).toBe(0);
    expect(wrong([hold(0, 99_900, { onPurpose: true }), hold(99_950)])).toBe(0);
    expect(wrong([hold(0, 99_900, { onPurpose: true }), hold(50_000)])).toBe(1);
  });

  it('or is with another process, of which one without Redis cannot know', () => {
    const elsewhere = hold(70_000, Infinity, { life: 'web2.1' });
    expect(wrong([hold(0, 95_000), elsewhere], [], { ...leave, partial: true })).toBe(1); // not so long
    expect(wrong([hold(0, 80_000), elsewhere], [], { ...leave, partial: true })).toBe(0);
    expect(wrong([hold(0, 80_000), elsewhere])).toBe(1);
  });

  it('not long before it was told', () => {
    expect(wrong([hold(0, 40_000), hold(60_000)])).toBe(1);
  });

  it('or was connected to a process that stood still', () => {
    expect(wrong([hold(0)], [{ life: 'web1.1', from: 85_000, until: 99_000 }])).toBe(0);
    expect(wrong([hold(0)], [{ life: 'web2.1', from: 85_000, until: 99_000 }])).toBe(1);
  });
});
