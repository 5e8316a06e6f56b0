import { withDebt } from '../../algorithms/algorithm.js';
import type { LimitRequest, Settlement } from '../rate-limit.store.js';

/** What one limit counts in this process: the same as its value in Redis. */
export interface Tally {
  /** When nothing of it matters any more: at once when all was given back. It is then as if new, as one deleted in Redis. */
  readonly expiresUs: number;
  /** The snapshot that its algorithm reads. Changes nothing. */
  look(request: LimitRequest, nowUs: number): unknown;
  /** Charges what fits. */
  charge(request: LimitRequest, nowUs: number): void;
  /** Whether the charge was known, and is settled. */
  settle(settlement: Settlement, nowUs: number): boolean;
  /** Charges or gives back. */
  adjust(request: LimitRequest, nowUs: number): void;
  /** Whether its slots were still held, and are prolonged. */
  renew?(settlement: Settlement, nowUs: number): boolean;
}

/** What is used after a change without asking: never less than nothing, never more debt than allowed. */
export function changed(used: number, change: number, capacity: number): number {
  return change < 0 ? Math.max(used + change, 0) : Math.max(used, Math.min(used + change, withDebt(capacity)));
}
