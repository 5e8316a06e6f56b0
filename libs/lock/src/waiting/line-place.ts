import type { Farewell } from '../holding/farewell.js';
import type { LockClaim, LockHold, LockStore } from '../stores/lock.store.js';
import { claimOf, holdOf, type LockRequest } from './claimant.js';

/** A claim by which a store knows a line. */
export interface Place {
  readonly claim: LockClaim;
  readonly store: LockStore;
  /** A try was not answered, and may still be executed. */
  doubtful: boolean;
}

/** Names places, and knows whom to wake by their names. */
export interface PlaceNames {
  /** A holder's name, by which `wake` will be called until it is forgotten. */
  newHolder(wake: () => void): string;
  forgetHolder(holder: string): void;
}

/** The one place that a line has in the queue of a store, whoever stands first in the line. */
export class LinePlace {
  #present: Place | undefined;

  constructor(
    private readonly names: PlaceNames,
    private readonly farewell: Farewell,
    private readonly wake: () => void,
  ) {}

  get present(): Place | undefined {
    return this.#present;
  }

  /** The present place, unless it is elsewhere or for something else: then a new one. */
  keep(store: LockStore, request: LockRequest): Place {
    const present = this.#present;
    if (present?.store !== store || !suits(present.claim, request)) return this.take(store, request);
    const { ttlMs } = request;
    if (present.claim.ttlMs === ttlMs) return present;
    // A try that may still be executed would give the lock the other lifetime, which can be too short for its holder.
    if (present.doubtful) return this.take(store, request);
    return (this.#present = { ...present, claim: { ...present.claim, ttlMs } });
  }

  /** A new place; the former one is given up. */
  take(store: LockStore, request: LockRequest): Place {
    this.leave();
    const claim = claimOf(request, this.names.newHolder(this.wake), true);
    return (this.#present = { claim, store, doubtful: false });
  }

  /** The claim was granted: what holds the lock is no place any more. */
  granted(token: bigint): LockHold {
    const { claim } = this.#present!;
    this.names.forgetHolder(claim.holder);
    this.#present = undefined;
    return holdOf(claim, token);
  }

  /** Gives the place up, and the lock if it was granted meanwhile. */
  leave(): void {
    if (this.#present === undefined) return;
    const { claim, store } = this.#present;
    this.#present = undefined;
    this.names.forgetHolder(claim.holder);
    this.farewell.bid(store, claim);
  }
}

/** Whether as much is claimed as is asked for; for how long is told anew by each try. */
export function suits(claim: LockClaim, request: LockRequest): boolean {
  return claim.weight === request.weight && claim.limit === request.limit;
}
