import { type Entry, toLine } from '../history.js';
import { byKey, type Hold } from './holds.js';
import type { Violation } from './violation.js';

/**
 * Grants that came while others held so much that together they had more than there is: two holders of a mutex, a
 * writer beside readers, one permit too many.
 */
export function overlaps(holds: readonly Hold[]): Violation[] {
  return [...byKey(holds).values()].flatMap((ofKey) => {
    const open: Hold[] = [];
    return ofKey.flatMap((hold) => {
      // What ended at this very moment is over: a lock may be handed over in no time.
      for (let i = open.length - 1; i >= 0; i--) if (open[i]!.to <= hold.from) open.splice(i, 1);
      const taken = open.reduce((sum, { weight }) => sum + weight, 0);
      const others = [...open];
      open.push(hold);
      if (taken + hold.weight <= hold.limit) return [];
      const lines = [...others, hold].flatMap(({ grant, end }) => (end ? [grant, end] : [grant]));
      return [{ check: 'overlap', message: `${hold.key} had more holders than it may have`, lines: lines.map(toLine) }];
    });
  });
}

/** Exclusive grants whose token was not greater than all before, and any token that was given twice. */
export function tokensThatFall(holds: readonly Hold[]): Violation[] {
  return [...byKey(holds).values()].flatMap((ofKey) => {
    let greatest: Entry | undefined;
    const seen = new Set<bigint>();
    return ofKey.flatMap(({ grant, weight, limit, key }) => {
      const token = grant.tok ?? -1n;
      const falls = weight === limit && greatest?.tok !== undefined && token <= greatest.tok;
      const twice = seen.has(token);
      seen.add(token);
      const before = greatest;
      if (!falls) greatest = weight === limit ? grant : greatest;
      if (!falls && !twice) return [];
      const message = `${key}: token ${token} ${falls ? `after ${before?.tok}` : 'was given twice'}`;
      return [{ check: 'token', message, lines: [before, grant].flatMap((each) => (each ? [toLine(each)] : [])) }];
    });
  });
}
