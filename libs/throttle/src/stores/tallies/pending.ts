import type { Hold, Settlement } from '../rate-limit.store.js';
import { MAX_PENDING } from '../lua/clock.lua.js';

/** A charge that can be settled. */
export interface Pending {
  readonly id: string;
  /** When it is taken back; 0 for never. */
  readonly expiresUs: number;
  /** How much of it can be taken back. */
  readonly amount: number;
  /** When gcra forgets it, or the window of sliding-window that it was charged in. */
  readonly mark: number;
}

export const NONE: readonly Pending[] = [];

/**
 * Takes back what has expired. Together no more can be taken back than is used: what has drained meanwhile is cut off
 * from the oldest. A mark tells which of the pending charges are meant.
 */
export function lapse(
  pending: readonly Pending[],
  used: number,
  nowUs: number,
  mark?: number,
): { readonly used: number; readonly pending: readonly Pending[] } {
  let excess = -used;
  for (const each of pending) if (mark === undefined || each.mark === mark) excess += each.amount;
  let left = used;
  const kept: Pending[] = [];
  for (const each of pending) {
    if (mark !== undefined && each.mark !== mark) {
      kept.push(each);
      continue;
    }
    const cut = Math.max(Math.min(excess, each.amount), 0);
    excess -= cut;
    const amount = each.amount - cut;
    if (each.expiresUs > 0 && each.expiresUs <= nowUs) left -= amount;
    else kept.push({ ...each, amount });
  }
  return { used: left, pending: kept };
}

/** With one more; beyond the bound the oldest stays charged. */
export function withHold(
  pending: readonly Pending[],
  { id, expiresMs }: Hold,
  amount: number,
  mark: number,
  nowUs: number,
): readonly Pending[] {
  const expiresUs = expiresMs === null ? 0 : nowUs + expiresMs * 1_000;
  const bounded = pending.length >= MAX_PENDING ? pending.slice(1) : pending;
  return [...bounded, { id, expiresUs, amount, mark }];
}

/** The charge that is settled, if it is known. */
export function held(pending: readonly Pending[], { holdId }: Settlement): Pending | undefined {
  return pending.find(({ id }) => id === holdId);
}

export function without(pending: readonly Pending[], settled: Pending): readonly Pending[] {
  return pending.length === 1 ? NONE : pending.filter((each) => each !== settled);
}
