import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What happened to one lock of one process, or to the world.
 * `ask`, then `grant` or `fail`; while granted `until` (its deadline moved) and `abort` (its signal); `end` once, and
 * `zombie` should it be held again after that. `fault` and `heal` come from the nemesis; `stall` from a process whose
 * event loop stood still; `try`, then `wrote`, `refused` or `unknown` from a write under a lock; `odd` is never right.
 */
type Verb =
  | 'ask'
  | 'grant'
  | 'fail'
  | 'until'
  | 'abort'
  | 'end'
  | 'zombie'
  | 'fault'
  | 'heal'
  | 'stall'
  | 'boot'
  | 'stopped'
  | 'try'
  | 'wrote'
  | 'refused'
  | 'unknown'
  | 'fire'
  | 'odd';

/**
 * One line of the history. Times are `process.hrtime.bigint()`: CLOCK_MONOTONIC, which all processes of a Linux machine
 * share, so that they may be compared exactly.
 */
export interface Entry {
  readonly t: bigint;
  /** The process: `<worker>.<incarnation>`, or `nemesis`. */
  readonly p: string;
  readonly f: Verb;
  readonly key?: string;
  /** Number of the section within its process. */
  readonly n?: number;
  readonly tok?: bigint;
  /** When it ends unless it is renewed, by the holder's own clocks. */
  readonly until?: bigint;
  /** Of how many units it takes how many. */
  readonly weight?: number;
  readonly limit?: number;
  /** The `code` of an error, why a section ended, the name of a fault. */
  readonly why?: string;
  /** Whom a fault touches: a worker, `all` or `none`. */
  readonly touches?: string;
  /** What was written, and to which store. */
  readonly id?: string;
  readonly store?: string;
  readonly backend?: string;
  readonly newest?: bigint;
  readonly ms?: number;
}

const BIG = ['t', 'tok', 'until', 'newest'] as const;

/** Appends lines with a synchronous write each, so that a SIGKILL loses none. */
export class HistoryWriter {
  readonly #file: number;

  constructor(
    dir: string,
    readonly p: string,
  ) {
    this.#file = openSync(join(dir, `${p}.jsonl`), 'a');
  }

  write(entry: Omit<Entry, 't' | 'p'> & { readonly t?: bigint }): void {
    const whole: Entry = { t: entry.t ?? process.hrtime.bigint(), p: this.p, ...entry };
    writeSync(this.#file, `${toLine(whole)}\n`);
  }
}

/** The entry as it stands in the file. */
export function toLine(entry: Entry): string {
  return JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** All that the processes of a run wrote, in the order of time. */
export function readHistory(dir: string): Entry[] {
  const files = readdirSync(dir).filter((name) => name.endsWith('.jsonl'));
  return files.flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').flatMap(toEntry)).toSorted(byTime);
}

/** Ends before grants of the same moment: a lock may be handed over in no time. */
export function byTime(a: Entry, b: Entry): number {
  if (a.t !== b.t) return a.t < b.t ? -1 : 1;
  return Number(a.f === 'grant') - Number(b.f === 'grant');
}

/** Which worker wrote it, whichever time it was started. */
export function workerOf({ p }: Pick<Entry, 'p'>): string {
  return p.split('.')[0]!;
}

function toEntry(line: string): Entry[] {
  if (line === '') return [];
  const entry = JSON.parse(line) as Record<string, unknown>;
  for (const name of BIG) if (name in entry) entry[name] = BigInt(entry[name] as string);
  return [entry as unknown as Entry];
}
