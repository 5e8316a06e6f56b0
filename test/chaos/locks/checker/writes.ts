import { type Entry, toLine } from '../history.js';
import type { Hold } from './holds.js';
import type { Violation } from './violation.js';

/** What a counter stands at, and the tokens of those who raised it, as they were committed. */
export interface CounterState {
  readonly value: number;
  readonly log: readonly { readonly token: bigint; readonly writer: string }[];
}

/** A counter that lost an update, or has one that nobody made; writes that were committed in the wrong order. */
export function counterFaults(history: readonly Entry[], store: string, { value, log }: CounterState): Violation[] {
  const of = (f: Entry['f']) => history.filter((entry) => entry.store === store && entry.f === f).length;
  // Who was killed before it could tell may have written.
  const [least, most] = [of('wrote'), of('try') - of('refused')];
  const faults: Violation[] = [];
  if (value < least || value > most) {
    const message = `${store}: is ${value}, but ${least} writes were acknowledged and ${most - least} may have happened`;
    faults.push({ check: 'counter', message, lines: [] });
  }
  if (value !== log.length) {
    faults.push({ check: 'counter', message: `${store}: is ${value}, but ${log.length} writes are logged`, lines: [] });
  }
  for (const [index, { token, writer }] of log.entries()) {
    const before = log[index - 1];
    if (!before || before.token <= token) continue;
    const message = `${store}: ${writer} wrote with token ${token} after ${before.writer} with ${before.token}`;
    faults.push({ check: 'stale write', message, lines: [] });
  }
  return faults;
}

/** The ids that were acknowledged and are not there at the end. */
export function lostAdds(history: readonly Entry[], store: string, final: readonly string[]): Entry[] {
  const there = new Set(final);
  return history.filter((entry) => entry.store === store && entry.f === 'wrote' && !there.has(entry.id ?? ''));
}

/** Acknowledged adds that are lost, and ids in the list that nobody added. */
export function setFaults(history: readonly Entry[], store: string, final: readonly string[]): Violation[] {
  const tried = new Set(
    history.filter((entry) => entry.store === store && entry.f === 'try').map(({ id }) => id ?? ''),
  );
  for (const { store: of, f, id = '' } of history) if (of === store && f === 'refused') tried.delete(id);
  const lost = lostAdds(history, store, final).map((entry) => ({
    check: 'set',
    message: `${store}: ${entry.id} was acknowledged and is lost`,
    lines: [toLine(entry)],
  }));
  const invented = final
    .filter((id) => !tried.has(id))
    .map((id) => ({ check: 'set', message: `${store}: nobody added ${id}`, lines: [] }));
  return [...lost, ...invented];
}

/**
 * Writes that were refused as stale although the refusal names nobody newer, and nobody else was granted that token:
 * Redis and a database that stands in for it may give the same one, and then the first to write is let in.
 */
export function groundlessRefusals(history: readonly Entry[], holds: readonly Hold[]): Violation[] {
  const granted = (entry: Entry) => holds.find(({ grant }) => grant.p === entry.p && grant.n === entry.n);
  return history
    .filter((entry) => {
      const { f, tok, newest } = entry;
      if (f !== 'refused' || tok === undefined || newest === undefined || newest > tok) return false;
      const own = granted(entry);
      return !holds.some((hold) => hold !== own && hold.key === own?.key && hold.grant.tok === tok);
    })
    .map((entry) => ({ check: 'fence', message: 'refused as stale by nobody newer', lines: [toLine(entry)] }));
}

/** Fires of a schedule that were run more than once. */
export function firedTwice(history: readonly Entry[]): Violation[] {
  const first = new Map<string, Entry>();
  return history
    .filter(({ f }) => f === 'fire')
    .flatMap((entry) => {
      const before = first.get(entry.id ?? '');
      first.set(entry.id ?? '', before ?? entry);
      return before ? [{ check: 'fire', message: `${entry.id} ran twice`, lines: [before, entry].map(toLine) }] : [];
    });
}

/** What is never right: unhandled rejections, errors without a code. */
export function oddities(history: readonly Entry[]): Violation[] {
  return history
    .filter(({ f }) => f === 'odd')
    .map((entry) => ({ check: 'odd', message: entry.why ?? '', lines: [toLine(entry)] }));
}
