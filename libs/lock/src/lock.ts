import type { Transactional, TransactionOf } from './fencing/transactional.js';
import type { LockStoreName } from './stores/lock.store.js';

/**
 * What a lock survives, from what was checked at boot:
 * `none` nothing, as Redis may evict it; `lease` crashes, pauses and an unreachable Redis; `lease+quarantine` also
 * restarts, flushes and failovers that lose writes; `lease+majority` also an isolated primary; `fenced` also unbounded
 * pauses and stepped clocks, for what is written in `transaction` or the database's own lease.
 */
export type Assurance = 'none' | 'lease' | 'lease+quarantine' | 'lease+majority' | 'fenced';

/** `uncertain`: a renewal failed and is being tried again; it may be used until its deadline. */
export type LockState = 'healthy' | 'uncertain' | 'lost' | 'released';

/**
 * A lock that was granted: held until the first of its release, its `deadline`, and the abort of its `signal`, all by the
 * clocks of this process.
 * @example
 * await using lock = await locks.acquire('car:7', { ttl: '30s', wait: '5s' });
 * await lock.transaction(db, async (tx) => tx.insert(bookings).values(booking));
 */
export interface Lock extends AsyncDisposable {
  /** The key, or the first of several. */
  readonly key: string;
  /** All keys, sorted. */
  readonly keys: readonly string[];
  /** The fencing token: greater than that of every earlier holder, also when Redis loses its data in between. */
  readonly token: bigint;
  /** Aborts with a {@link LockLostError} when the lock is lost, whether or not the store answers. */
  readonly signal: AbortSignal;
  /** Until when it is held unless it is renewed. */
  readonly deadline: Date;
  /** Whether it is held now: computed from the clocks, so that it is right also before late timers have fired. */
  readonly held: boolean;
  readonly state: LockState;
  readonly assurance: Assurance;
  /** Who granted it. */
  readonly backend: LockStoreName;
  /** @throws LockLostError when it is not held any more. */
  assertHeld(): void;
  /** Gives it back. Resolves to whether this call did; false the second time, and when it was lost before. */
  release(): Promise<boolean>;
  /**
   * Runs a transaction in which every key is fenced first: once a later holder has fenced, nothing of this one commits.
   * Read what decisions are based on inside it. Only for exclusive locks.
   * @throws LockLostError when the lock is not held at its beginning or before its commit.
   * @throws StaleFenceError when a later holder has been there.
   */
  transaction<Db extends Transactional, Result>(
    db: Db,
    run: (tx: TransactionOf<Db>) => Promise<Result>,
  ): Promise<Result>;
}
