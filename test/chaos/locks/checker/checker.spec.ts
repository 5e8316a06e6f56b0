import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byTime, type Entry, HistoryWriter, readHistory } from '../history.js';
import { check, type FinalState } from './check.js';
import type { Bounds } from './promptness.js';

const MS = 1_000_000n;
const bounds: Bounds = { ttlMs: 1_000, quarantineMs: 1_000, waiterTtlMs: 1_500, slackMs: 300 };
const nothing: FinalState = { counters: {}, sets: {}, unchecked: { store: 'unchecked', list: [] }, leftovers: [] };

type Toy = Omit<Partial<Entry>, 't' | 'until'> & { at: number; f: Entry['f']; until?: number };

/** Entries with times in ms; one process, section 1, key `k`, unless they say otherwise. */
function toy(...entries: Toy[]): Entry[] {
  const made = entries.map(({ at, until, ...rest }) => ({
    p: 'a.1',
    key: 'k',
    n: 1,
    ...rest,
    t: BigInt(at) * MS,
    ...(until === undefined ? {} : { until: BigInt(until) * MS }),
  }));
  return made.toSorted(byTime);
}

/** Which checks a toy history fails. */
function failed(history: Entry[], final: Partial<FinalState> = {}, keys: string[] = []): string[] {
  const verdict = check(history, { ...nothing, ...final }, bounds, { keys, fifo: () => true });
  return verdict.violations.map((violation) => violation.check);
}

const hold = (p: string, n: number, from: number, to: number, tok: number, more: Partial<Toy> = {}): Toy[] => [
  { p, n, at: from, f: 'grant', tok: BigInt(tok), until: from + 938, weight: 1, limit: 1, ...more },
  { p, n, at: to, f: 'end', why: 'released' },
];

describe('exclusion', () => {
  it('holds that follow each other are right, also without a gap', () => {
    expect(failed(toy(...hold('a.1', 1, 0, 10, 1), ...hold('b.1', 1, 10, 20, 2)))).toEqual([]);
  });

  it('two holders at once are wrong', () => {
    expect(failed(toy(...hold('a.1', 1, 0, 10, 1), ...hold('b.1', 1, 9, 20, 2)))).toEqual(['overlap']);
  });

  it('other keys do not matter', () => {
    expect(failed(toy(...hold('a.1', 1, 0, 10, 1), ...hold('b.1', 1, 9, 20, 2, { key: 'other' })))).toEqual([]);
  });

  it('a holder who was killed holds until the last deadline that it knew', () => {
    const killed = hold('a.1', 1, 0, 10, 1).slice(0, 1);
    const renewed: Toy = { at: 300, f: 'until', until: 1_300 };
    expect(failed(toy(...killed, ...hold('b.1', 1, 939, 950, 2)))).toEqual([]);
    expect(failed(toy(...killed, renewed, ...hold('b.1', 1, 939, 950, 2)))).toEqual(['overlap']);
  });

  it('readers go together, a writer goes alone', () => {
    const reader = { weight: 1, limit: 9 };
    const writer = { weight: 9, limit: 9 };
    const readers = [...hold('a.1', 1, 0, 30, 1, reader), ...hold('b.1', 1, 10, 40, 2, reader)];
    expect(failed(toy(...readers, ...hold('c.1', 1, 40, 50, 3, writer)))).toEqual([]);
    expect(failed(toy(...readers, ...hold('c.1', 1, 35, 50, 3, writer)))).toEqual(['overlap']);
  });

  it('a semaphore has so many holders, and one more is wrong', () => {
    const permit = { weight: 1, limit: 2 };
    const two = [...hold('a.1', 1, 0, 30, 1, permit), ...hold('b.1', 1, 10, 40, 2, permit)];
    expect(failed(toy(...two, ...hold('c.1', 1, 30, 50, 3, permit)))).toEqual([]);
    expect(failed(toy(...two, ...hold('c.1', 1, 29, 50, 3, permit)))).toEqual(['overlap']);
  });

  it('tokens rise from grant to grant', () => {
    expect(failed(toy(...hold('a.1', 1, 0, 10, 2), ...hold('b.1', 1, 10, 20, 1)))).toEqual(['token']);
    expect(failed(toy(...hold('a.1', 1, 0, 10, 2), ...hold('b.1', 1, 10, 20, 2)))).toEqual(['token']);
  });
});

describe('promptness', () => {
  const expired = (at: number): Toy[] => [
    { at: 0, f: 'grant', tok: 1n, until: 938 },
    { at: 938, f: 'end', why: 'deadline' },
    { at, f: 'abort' },
  ];

  it('a signal aborts at its deadline, unless its process stood still', () => {
    expect(failed(toy(...expired(950)))).toEqual([]);
    expect(failed(toy(...expired(1_900)))).toEqual(['abort']);
    expect(failed(toy(...expired(1_900), { at: 1_899, f: 'stall', ms: 1_200 }))).toEqual([]);
    expect(failed(toy(...expired(950).slice(0, 2), { at: 5_000, f: 'boot' }))).toEqual(['abort']);
  });

  it('what is over stays over', () => {
    expect(failed(toy(...expired(939), { at: 1_000, f: 'zombie' }))).toEqual(['zombie']);
  });

  const asks = (p: string, asked: number, served: number, tok: number): Toy[] => [
    { p, at: asked, f: 'ask' },
    ...hold(p, 1, served, served + 100, tok),
  ];

  it('who comes first is served first', () => {
    expect(failed(toy(...asks('a.1', 0, 1_000, 1), ...asks('b.1', 500, 1_100, 2)))).toEqual([]);
    expect(failed(toy(...asks('a.1', 0, 1_500, 2), ...asks('b.1', 500, 1_100, 1)))).toEqual(['fifo']);
  });

  it('who was disturbed may lose its place', () => {
    const both = [...asks('a.1', 0, 1_500, 2), ...asks('b.1', 500, 1_100, 1)];
    const fault = (touches: string): Toy[] => [
      { p: 'nemesis', n: 0, at: 600, f: 'fault', why: 'x', touches },
      { p: 'nemesis', n: 0, at: 700, f: 'heal', why: 'x', touches },
    ];
    expect(failed(toy(...both, ...fault('a')))).toEqual([]);
    expect(failed(toy(...both, ...fault('all')))).toEqual([]);
    expect(failed(toy(...both, ...fault('none')))).toEqual(['fifo']);
    expect(failed(toy(...both, ...fault('c')))).toEqual(['fifo']);
  });

  it('who waits for a lock that nobody holds gets it soon', () => {
    const held = [{ p: 'b.1', at: 0, f: 'ask' as const }, ...hold('b.1', 1, 0, 4_000, 1)];
    const renewed: Toy = { p: 'b.1', at: 900, f: 'until', until: 9_000 };
    expect(failed(toy(...held, renewed, ...asks('a.1', 100, 4_900, 2)))).toEqual([]);
    expect(failed(toy(...held, renewed, ...asks('a.1', 100, 7_000, 2)))).toEqual(['idle']);
    const refused: Toy[] = [
      { at: 100, f: 'ask' },
      { at: 7_000, f: 'fail', why: 'lock.busy' },
    ];
    expect(failed(toy(...held, ...refused))).toEqual(['idle']);
  });

  it('every key is granted again after the last heal', () => {
    const heal: Toy = { p: 'nemesis', n: 0, at: 1_000, f: 'heal', why: 'x', touches: 'all' };
    expect(failed(toy(heal, ...hold('a.1', 1, 2_000, 2_010, 1)), {}, ['k'])).toEqual([]);
    const after: Toy = { p: 'b.1', n: 7, at: 1_200, f: 'ask' };
    const before: Toy = { ...after, at: 950 };
    for (const ask of [after, before]) {
      expect(failed(toy(heal, ask, ...hold('a.1', 1, 900, 910, 1)), {}, ['k'])).toEqual(['liveness']);
      expect(failed(toy(heal, ask, ...hold('a.1', 1, 9_000, 9_010, 1)), {}, ['k'])).toEqual(['liveness']);
    }
    // Nobody wanted it any more.
    const refused: Toy = { ...before, at: 980, f: 'fail', why: 'lock.busy' };
    expect(failed(toy(heal, before, refused, ...hold('a.1', 1, 900, 910, 1)), {}, ['k'])).toEqual([]);
  });
});

describe('writes', () => {
  const written = (id: string, ...outcomes: Entry['f'][]): Toy[] =>
    (['try', ...outcomes] as const).map((f, at) => ({ at, f, store: 's', id }));
  const wrote = (id: string) => written(id, 'wrote');
  const log = (...tokens: number[]) => tokens.map((token) => ({ token: BigInt(token), writer: 'a' }));

  it('a counter has every write that was acknowledged, and none that was not tried', () => {
    const judge = (value: number, tokens: number[], ...writes: Toy[][]) =>
      failed(toy(...writes.flat()), { counters: { s: { value, log: log(...tokens) } } });
    expect(judge(2, [1, 2], wrote('1'), wrote('2'))).toEqual([]);
    expect(judge(2, [1, 2], wrote('1'), written('2', 'unknown'))).toEqual([]);
    expect(judge(2, [1, 2], wrote('1'), written('2'))).toEqual([]);
    expect(judge(2, [1, 2], wrote('1'), written('2', 'refused'))).toEqual(['counter']);
    expect(judge(1, [1], wrote('1'), wrote('2'))).toEqual(['counter']);
    expect(judge(3, [1, 2, 3], wrote('1'), wrote('2'))).toEqual(['counter']);
    expect(judge(1, [1, 1], wrote('1'))).toEqual(['counter']);
    expect(judge(2, [2, 1], wrote('1'), wrote('2'))).toEqual(['stale write']);
  });

  it('a set has every add that was acknowledged, and none that was not tried', () => {
    const judge = (list: string[], ...writes: Toy[][]) => failed(toy(...writes.flat()), { sets: { s: list } });
    expect(judge(['1', '2'], wrote('1'), written('2', 'unknown'))).toEqual([]);
    expect(judge(['1', '2'], wrote('1'), written('2'))).toEqual([]);
    expect(judge(['1'], wrote('1'), written('2', 'unknown'))).toEqual([]);
    expect(judge(['1', '2'], wrote('1'), written('2', 'refused'))).toEqual(['set']);
    expect(judge([], wrote('1'))).toEqual(['set']);
    expect(judge(['1', '3'], wrote('1'))).toEqual(['set']);
  });

  it('what an unchecked store lost is counted and not judged', () => {
    const final = { ...nothing, unchecked: { store: 's', list: ['1'] } };
    const verdict = check(toy(...wrote('1'), ...wrote('2')), final, bounds, { keys: [], fifo: () => true });
    expect([verdict.violations, verdict.lost]).toEqual([[], { unchecked: 1, checked: 0 }]);
  });

  it('a refusal names somebody newer', () => {
    const own = hold('a.1', 1, 0, 10, 5, { key: 'guarded:k' });
    const refused = (newest: bigint): Toy => ({ at: 1, f: 'refused', tok: 5n, newest });
    expect(failed(toy(...own, refused(6n)))).toEqual([]);
    expect(failed(toy(...own, refused(5n)))).toEqual(['fence']);
    expect(failed(toy(...own, ...hold('b.1', 1, 0, 10, 5, { key: 'guarded:k' }), refused(5n)))).toEqual([]);
  });

  it('a fire runs once', () => {
    const fire = (at: number, id: string): Toy => ({ at, f: 'fire', id });
    expect(failed(toy(fire(1, '12:00'), fire(2, '12:01')))).toEqual([]);
    expect(failed(toy(fire(1, '12:00'), fire(2, '12:00')))).toEqual(['fire']);
  });

  it('an odd entry and a leftover are wrong', () => {
    expect(failed(toy({ at: 1, f: 'odd', why: 'unhandled rejection' }))).toEqual(['odd']);
    expect(failed([], { leftovers: ['roost:lock:queue'] })).toEqual(['leftover']);
  });
});

it('the history is read as it was written, and in the order of time', () => {
  const dir = mkdtempSync(join(tmpdir(), 'roost-history-'));
  const [a, b] = [new HistoryWriter(dir, 'a.1'), new HistoryWriter(dir, 'b.1')];
  b.write({ t: 20n, f: 'grant', key: 'k', n: 1, tok: 9_007_199_254_740_993n });
  a.write({ t: 10n, f: 'ask', key: 'k', n: 1 });
  expect(readHistory(dir)).toEqual([
    { t: 10n, p: 'a.1', f: 'ask', key: 'k', n: 1 },
    { t: 20n, p: 'b.1', f: 'grant', key: 'k', n: 1, tok: 9_007_199_254_740_993n },
  ]);
  rmSync(dir, { recursive: true });
});
