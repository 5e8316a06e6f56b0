import type { Entry } from '../history.js';
import { overlaps, tokensThatFall } from './exclusion.js';
import { asksOf, holdsOf } from './holds.js';
import { type Bounds, idleWaits, lateAborts, outOfOrder, stillDead, zombies } from './promptness.js';
import { ns, type Violation } from './violation.js';
import { Weather } from './weather.js';
import {
  counterFaults,
  type CounterState,
  firedTwice,
  groundlessRefusals,
  lostAdds,
  oddities,
  setFaults,
} from './writes.js';

/** What stands in the stores when everything is quiet again. */
export interface FinalState {
  readonly counters: Readonly<Record<string, CounterState>>;
  /** Lists in which every acknowledged add has to stand. */
  readonly sets: Readonly<Record<string, readonly string[]>>;
  /** The list of the store that asks for no token: what it lost is counted, not judged. */
  readonly unchecked: { readonly store: string; readonly list: readonly string[] };
  /** Keys of Redis that must not be there: without a lifetime, or a queue in which nobody waits. */
  readonly leftovers: readonly string[];
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly grants: number;
  readonly writes: number;
  /** How many acknowledged writes a store lost that asks for no token, and how many one that does. */
  readonly lost: { readonly unchecked: number; readonly checked: number };
  /** Grants per backend, refusals per code, faults per name. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Judges a history exactly: there is one clock, so nothing is uncertain.
 * @param keys those that somebody has to be granted after the last heal
 * @param fifo whether the queue of a key is judged: only where each process asks once at a time
 */
export function check(
  history: readonly Entry[],
  final: FinalState,
  bounds: Bounds,
  { keys, fifo }: { readonly keys: readonly string[]; readonly fifo: (key: string) => boolean },
): Verdict {
  const holds = holdsOf(history);
  const asks = asksOf(history);
  // After a loss of memory the queue is made anew, and nobody is granted for a while.
  const weather = new Weather(history, (touches) => ns(touches === 'all' ? bounds.quarantineMs + 1_500 : 1_500));
  const queued = asks.filter(({ key }) => fifo(key));
  // Guard mode excludes only what is written in transactions: its handles may overlap those of Redis.
  const exclusive = holds.filter(({ key }) => !key.startsWith('guarded:'));
  const violations = [
    ...overlaps(exclusive),
    ...tokensThatFall(exclusive),
    ...lateAborts(holds, history, bounds),
    ...zombies(holds),
    ...outOfOrder(queued, weather, bounds),
    ...idleWaits(queued, holds, weather, bounds),
    ...stillDead(keys, history, Weather.lastHeal(history), bounds),
    ...Object.entries(final.counters).flatMap(([store, state]) => counterFaults(history, store, state)),
    ...Object.entries(final.sets).flatMap(([store, list]) => setFaults(history, store, list)),
    ...groundlessRefusals(history, holds),
    ...firedTwice(history),
    ...oddities(history),
    ...final.leftovers.map((key) => ({ check: 'leftover', message: key, lines: [] })),
  ];
  const sets = Object.entries(final.sets);
  return {
    violations,
    grants: holds.length,
    writes: history.filter(({ f }) => f === 'wrote').length,
    lost: {
      unchecked: lostAdds(history, final.unchecked.store, final.unchecked.list).length,
      checked: sets.reduce((sum, [store, list]) => sum + lostAdds(history, store, list).length, 0),
    },
    counts: countsOf(history),
  };
}

function countsOf(history: readonly Entry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { f, why, backend } of history) {
    const name = {
      grant: `grant ${backend}`,
      fail: `fail ${why}`,
      fault: `fault ${why}`,
      fire: 'fires',
      end: `end ${why}`,
    }[f as string];
    if (name) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
