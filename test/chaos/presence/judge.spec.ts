import { wronglyGone, type Told } from './judge.js';
import type { Fault, Hold } from './timeline.js';

const patience = { goneAfterMs: 10_000, silentMs: 3_000 };
const leave: Told = { userId: 'ann', room: 'lobby', at: 100_000, version: 7, by: 'web1.1', partial: false };
const hold = (from: number, until = Infinity, over: Partial<Hold> = {}): Hold => {
  return { userId: 'ann', room: 'lobby', life: 'web1.1', from, until, onPurpose: false, ...over };
};
interface Else {
  readonly pauses?: Pick<Fault, 'life' | 'from' | 'until'>[];
  readonly faults?: Fault[];
  readonly ends?: ReadonlyMap<string, number>;
  readonly begins?: ReadonlyMap<string, number>;
  readonly told?: Told[];
  readonly joins?: Told[];
}
const wrong = (holds: Hold[], { pauses = [], faults = [], ends, begins, told = [leave], joins = [] }: Else = {}) => {
  const ended = [...(ends ?? [])].map(([life, at]): Fault => ({ name: 'kill', life, from: at, until: at }));
  const stood = pauses.map((pause): Fault => ({ ...pause, name: 'freeze-long' }));
  const timeline = { holds, faults: [...faults, ...ended, ...stood], begins: new Map(begins) };
  return wronglyGone({ leaves: told, joins }, timeline, patience).length;
};
const redis = (from: number, until: number): Fault => ({ name: 'redis-kill', life: undefined, from, until });

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

  it('after being told to have come, if that was told', () => {
    const came = { ...leave, at: 87_005, version: 5 };
    const back = [hold(0, 70_000), hold(87_000)];
    expect([wrong(back), wrong(back, { joins: [came] })]).toEqual([0, 1]);
    expect(wrong(back, { joins: [{ ...came, version: 8 }] })).toBe(0); // that was later
    expect(wrong([hold(0, 70_000), hold(86_900, 86_950)], { joins: [came] })).toBe(0); // and gone again
  });

  it('or is with another process, of which one without Redis cannot know', () => {
    const elsewhere = hold(70_000, Infinity, { life: 'web2.1' });
    const told = [{ ...leave, partial: true }];
    expect(wrong([hold(0, 95_000), elsewhere], { told })).toBe(1); // not so long
    expect(wrong([hold(0, 80_000), elsewhere], { told })).toBe(0);
    expect(wrong([elsewhere, hold(0, 80_000, { life: 'web3.1' })], { told })).toBe(1); // it has not had the user
    expect(wrong([hold(0, 80_000), elsewhere])).toBe(1);
    const there = hold(96_000, 99_900, { life: 'web2.1', onPurpose: true });
    expect([wrong([hold(0, 95_000), there], { told }), wrong([hold(0, 95_000), there])]).toEqual([1, 0]);
    expect(wrong([hold(0, 95_000), there], { told: [leave, ...told] })).toBe(0); // it has heard it
    expect(wrong([hold(0, 95_000), there], { told: [{ ...leave, version: 6 }, ...told] })).toBe(1);
  });

  it('not long before it was told, nor before the user had come', () => {
    expect([wrong([hold(80_000)]), wrong([hold(100_001)])]).toEqual([1, 0]);
    expect(wrong([hold(0, 40_000), hold(60_000)])).toBe(1);
  });

  it('or was connected to a process that stood still', () => {
    expect(wrong([hold(0)], { pauses: [{ life: 'web1.1', from: 85_000, until: 99_000 }] })).toBe(0);
    expect(wrong([hold(0)], { pauses: [{ life: 'web2.1', from: 85_000, until: 99_000 }] })).toBe(1);
  });

  it('or was connected to a process that could not tell of it before its end', () => {
    const ends = new Map([['web1.1', 97_000]]);
    const held = [hold(0, 95_000)];
    expect(wrong(held, { ends })).toBe(1);
    expect(wrong(held, { ends, faults: [redis(91_000, 92_000)] })).toBe(0);
    expect(wrong(held, { ends, faults: [redis(85_000, 86_000)] })).toBe(1); // told again long ago
    expect(wrong(held, { ends, faults: [redis(70_000, 79_000), redis(85_000, 88_000)] })).toBe(0);
    expect(wrong(held, { faults: [redis(91_000, 92_000)] })).toBe(1);
    const pauses = [{ life: 'web1.1', from: 95_000, until: 120_000 }];
    expect(wrong([hold(0)], { pauses })).toBe(1);
    expect(wrong([hold(0)], { pauses, faults: [redis(90_000, 91_000)] })).toBe(0);
  });

  it('or left through a process that is new, and Redis has forgotten the rest', () => {
    const all = [hold(0), hold(98_500, 99_900, { life: 'web2.2', onPurpose: true })];
    const [begins, faults] = [new Map([['web2.2', 98_000]]), [redis(94_000, 97_000)]];
    expect([wrong(all), wrong(all, { begins }), wrong(all, { faults }), wrong(all, { begins, faults })]).toEqual([
      1, 1, 1, 0,
    ]);
  });
});
