import type { Limit } from '../policies/limit.js';

/** One time that a request was charged by a guard. */
export interface Passage {
  readonly limits: readonly Limit[];
  /** The call it was charged for: all guards of one call see the same. */
  readonly call: object;
  /** Whether it passed; rejects with the refusal. */
  readonly outcome: boolean | Promise<boolean>;
  readonly earlier: Passage | undefined;
}

/** Of these limits those that are still to be charged, and how the others ended. */
export function remainderOf(
  limits: readonly Limit[],
  call: object,
  last: Passage,
): { readonly open: readonly Limit[]; readonly settled: readonly (boolean | Promise<boolean>)[] } {
  const open: Limit[] = [];
  const settled = new Set<boolean | Promise<boolean>>();
  for (const limit of limits) {
    const charged = find(limit, call, last);
    if (charged) settled.add(charged.outcome);
    else open.push(limit);
  }
  return { open, settled: [...settled] };
}

function find(limit: Limit, call: object, last: Passage): Passage | undefined {
  for (let passage: Passage | undefined = last; passage; passage = passage.earlier) {
    if (limit.per === 'call' && passage.call !== call) continue;
    // By name: what a class has is written once, and stands for each of its routes.
    if (passage.limits.some(({ name }) => name === limit.name)) return passage;
  }
  return undefined;
}
