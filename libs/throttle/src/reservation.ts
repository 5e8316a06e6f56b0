import type { Duration } from '@roost/redis';
import { costOf, type ConsumeOptions } from './charges.js';
import type { Decision } from './decision.js';
import type { HeldCharge } from './switching/held-charge.js';
import type { HeldCharges } from './switching/held-charges.js';

export interface ReserveOptions extends ConsumeOptions {
  /**
   * After how long the charge takes itself back when nothing settles it, as when this process dies. Slots of `concurrency`
   * are kept until settled, and end with their `window` when this process dies. @default '1m'
   */
  readonly for?: Duration;
}

/**
 * A charge whose cost is known later. It is settled once, by the first call: later ones change nothing, and neither does
 * one that comes when the window is over or the reservation has ended. Both resolve to whether the charge was still held.
 * Neither rejects when Redis is lost: what cannot be settled now is as soon as Redis is back, unless it has ended by then.
 * What this process granted in an outage can be settled while that lasts; then Redis has it, as it was reserved.
 */
export interface Reservation {
  readonly decision: Decision;
  /**
   * Keeps `cost` of what is charged; more than was reserved is charged even beyond the limits. Frees slots of
   * `concurrency`. @default what was reserved
   */
  commit(cost?: number): Promise<boolean>;
  /** Gives all of it back. */
  rollback(): Promise<boolean>;
}

/** The reservation of a decision; one that was refused or charged nothing has nothing to settle. */
export function reservationOf(decision: Decision, charges: HeldCharges): Reservation {
  let held = charges.of(decision);
  const settle = async (cost: (charge: HeldCharge) => number) => {
    const mine = held;
    held = undefined;
    return mine !== undefined && (await charges.settle(mine, cost)) > 0;
  };
  return {
    decision,
    commit: async (cost) => {
      if (cost === undefined) return settle(({ settlement }) => settlement.held);
      const actual = costOf(cost);
      return settle(() => actual);
    },
    rollback: () => settle(() => 0),
  };
}
