import { groupBy } from '../../group-by.js';
import { type Entry, workerOf } from '../history.js';

/** One lock as long as its holder had a right to it. */
export interface Hold {
  readonly grant: Entry;
  readonly key: string;
  readonly weight: number;
  readonly limit: number;
  readonly from: bigint;
  /** Its end, or the last deadline that a holder knew who was killed. */
  readonly to: bigint;
  readonly end: Entry | undefined;
  readonly abort: Entry | undefined;
  readonly zombie: Entry | undefined;
}

/** Somebody's wish for a lock, from the question to the answer. */
export interface Ask {
  readonly ask: Entry;
  readonly key: string;
  readonly worker: string;
  readonly from: bigint;
  /** The answer; without one, its process did not live to see it. */
  readonly answer: Entry | undefined;
}

/** Every grant with what became of it, in the order of grants. */
export function holdsOf(history: readonly Entry[]): Hold[] {
  const holds = new Map<string, Hold>();
  for (const entry of history) {
    const id = sectionOf(entry);
    if (entry.f === 'grant') {
      const { key = '', weight = 1, limit = 1, until = entry.t } = entry;
      const rest = { end: undefined, abort: undefined, zombie: undefined };
      holds.set(id, { grant: entry, key, weight, limit, from: entry.t, to: until, ...rest });
      continue;
    }
    const hold = holds.get(id);
    if (hold) holds.set(id, continued(hold, entry));
  }
  return [...holds.values()].toSorted((a, b) => (a.from < b.from ? -1 : 1));
}

/** Every question, in order. */
export function asksOf(history: readonly Entry[]): Ask[] {
  const asks = new Map<string, Ask>();
  for (const entry of history) {
    const id = sectionOf(entry);
    const { key = '' } = entry;
    if (entry.f === 'ask') asks.set(id, { ask: entry, key, worker: workerOf(entry), from: entry.t, answer: undefined });
    const ask = asks.get(id);
    if (ask && (entry.f === 'grant' || entry.f === 'fail')) asks.set(id, { ...ask, answer: entry });
  }
  return [...asks.values()];
}

/** Holds by key. */
export function byKey<T extends { readonly key: string }>(all: readonly T[]): Map<string, T[]> {
  return groupBy(all, ({ key }) => key);
}

function continued(hold: Hold, entry: Entry): Hold {
  if (entry.f === 'until' && !hold.end) return { ...hold, to: entry.until ?? hold.to };
  if (entry.f === 'end' && !hold.end) return { ...hold, end: entry, to: entry.t > hold.from ? entry.t : hold.from };
  if (entry.f === 'abort') return { ...hold, abort: entry };
  if (entry.f === 'zombie') return { ...hold, zombie: entry };
  return hold;
}

function sectionOf({ p, n }: Entry): string {
  return `${p}#${n}`;
}
