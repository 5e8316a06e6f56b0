/** A mutex has one holder; a read-write lock many readers or one writer; a semaphore a number of units. */
export type LockKind = 'mutex' | 'rw' | 'semaphore';

/** Who decides about locks. */
export type LockStoreName = 'redis' | 'memory' | 'postgres';

/** What is asked for. All tries of one claim carry the same holder, so that none of them can be granted beside another. */
export interface LockClaim {
  readonly kind: LockKind;
  /** Sorted, each once. Only a mutex may have several: all of them or none. */
  readonly keys: readonly string[];
  /** `<instance>.<number>`, unique to this claim; the instance is whom a wake-up is sent to. */
  readonly holder: string;
  /** How long a grant lives in the store unless it is extended, in ms. */
  readonly ttlMs: number;
  /** How many units of `limit` are taken: 1 of 1 for a mutex, 1 by a reader, all by a writer. */
  readonly weight: number;
  /** How many units there are: 1 for a mutex, {@link RW_UNITS} for a read-write lock. */
  readonly limit: number;
  /** Whether to join the queue when busy. A claim that waits is alive for `waiterTtl` after each try. */
  readonly wait: boolean;
}

/** A writer takes so many units, a reader one. */
export const RW_UNITS = 1_000_000;

/** A claim that was granted. */
export interface LockHold extends LockClaim {
  /** The fencing token: `epoch << 33 | sequence`; every later grant in the same space has a greater one. */
  readonly token: bigint;
}

/** What a store says to a claim. */
export type ClaimOutcome =
  | { readonly state: 'granted'; readonly token: bigint }
  /** `retryInMs`: when a present holder's time ends at the latest; 0 when nobody holds and others are before us. */
  | { readonly state: 'busy'; readonly retryInMs: number }
  /** The store lost its memory: nothing new is granted while present holders reclaim. */
  | { readonly state: 'quarantine'; readonly retryInMs: number }
  /** The semaphore is in use with another number of permits. */
  | { readonly state: 'mismatch'; readonly limit: number };

/**
 * `reclaimed`: the store had lost it, and has it again under the same token. `unsettled`: it is not lost, but has no more
 * time than before, as a former primary may still grant it to somebody else then.
 */
export type ExtendOutcome = 'extended' | 'reclaimed' | 'unsettled' | 'lost';

/** `absent`: its time had run out, or an earlier try released it; `foreign`: somebody else holds it now. */
export type ReleaseOutcome = 'released' | 'absent' | 'foreign';

/** What a release came to, and the claim that took the opportunity. */
export interface Released {
  readonly outcome: ReleaseOutcome;
  readonly next: ClaimOutcome | undefined;
}

/** One who holds a lock. */
export interface HolderReport {
  readonly holder: string;
  readonly token: bigint;
  /** `host:pid` of the process. */
  readonly owner: string;
  /** By the store's clock. */
  readonly since: Date;
  /** What is left of its time in ms. */
  readonly ttlMs: number;
  readonly weight: number;
}

/** What a store knows of one lock. */
export interface LockReport {
  readonly holders: readonly HolderReport[];
  /** How many wait, each process counted once. */
  readonly waiting: number;
}

/**
 * The verbs of locking, as every store has them. Each call settles within a deadline of its own, and rejects with
 * `LockUnavailableError` when the store cannot decide. A call that was given up may still take effect later: every verb
 * may be repeated for the same holder without harm.
 */
export abstract class LockStore {
  abstract readonly name: LockStoreName;

  /**
   * Asks for a lock. Asked again by its holder, it answers with the same token and a full lifetime; asked by someone
   * who waits already, it keeps the place in the queue.
   */
  abstract acquire(claim: LockClaim): Promise<ClaimOutcome>;

  /** Gives each its full lifetime again; `again` tries another way to the store, as after half-open connections. */
  abstract extend(holds: readonly LockHold[], again?: boolean): Promise<readonly ExtendOutcome[]>;

  /** Gives back, tells who is next, and asks for `next`, a claim of the same process for the same keys, in one step. */
  abstract release(hold: LockHold, next?: LockClaim): Promise<Released>;

  /** Takes a claim back whatever became of it: it leaves the queue, and is released if it was granted. */
  abstract withdraw(claim: LockClaim): Promise<void>;

  abstract inspect(kind: LockKind, key: string): Promise<LockReport>;

  /** Takes it from whoever holds it, and tells who is next. Resolves to those it was taken from. */
  abstract force(kind: LockKind, key: string): Promise<readonly HolderReport[]>;

  /**
   * Calls the listener with a holder whose turn has probably come, or with undefined when wake-ups may have been missed,
   * until the returned function is called. Only a hint: who waits asks again in time anyway.
   */
  abstract onTurn(listener: (holder: string | undefined) => void): () => void;

  /** From now on every token is greater than this one, which somebody has seen: a database, or a caller of another store. */
  abstract raise(token: bigint): void;
}
