import type { LoggerService } from '@nestjs/common';
import { digest } from '@roost/redis';
import type { LockLossReason } from '../lock.errors.js';
import { LockUnavailableError, StaleFenceError } from '../lock.errors.js';
import type { Assurance } from '../lock.js';
import type { LockMetrics } from '../lock.metrics.js';
import type { HolderReport, LockKind, LockReport, LockStore, LockStoreName } from '../stores/lock.store.js';
import type { LockStores } from '../stores/lock.stores.js';
import type { LockRequest } from '../waiting/claimant.js';
import type { LockLines } from '../waiting/lock.lines.js';
import type { Transactional, TransactionOf } from '../fencing/transactional.js';
import { fencedTransaction } from '../fencing/fenced-transaction.js';
import type { Clock } from './clock.js';
import type { Farewell } from './farewell.js';
import { HeldLock, type LockSurroundings } from './held-lock.js';
import type { LockKeeper } from './lock.keeper.js';

/** How a lock is asked for, apart from what is asked for. */
export interface GrantOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly renew: boolean;
}

export interface GrantParts {
  readonly clock: Clock;
  readonly stores: LockStores;
  readonly lines: LockLines;
  readonly keeper: LockKeeper;
  readonly farewell: Farewell;
  readonly metrics: LockMetrics;
  readonly logger: Pick<LoggerService, 'warn'>;
  /** First part of a resource's name in the database: services that share one must not meet. */
  readonly space: string;
  readonly usableMs: (ttlMs: number) => number;
}

/** Every lock that this process holds: from its grant, over renewals and fences, to its release or loss. */
export class LockGrants implements LockSurroundings {
  readonly clock: Clock;
  readonly usableMs: (ttlMs: number) => number;

  constructor(private readonly parts: GrantParts) {
    this.clock = parts.clock;
    this.usableMs = parts.usableMs;
  }

  /** The store that decides by configuration. */
  get home(): LockStoreName {
    return this.parts.stores.primary.name;
  }

  assuranceOf(store: LockStore): Assurance {
    return this.parts.stores.assuranceOf(store);
  }

  async grant(request: LockRequest, { waitMs, signal, renew }: GrantOptions): Promise<HeldLock> {
    const { stores, lines, keeper, metrics } = this.parts;
    const since = performance.now();
    try {
      const grant = await lines.acquire(request, waitMs, signal);
      stores.granted(grant.store, grant.hold.token);
      const lock = new HeldLock(grant, renew, this);
      keeper.watch(lock);
      metrics.granted(request.kind, grant.store.name, performance.now() - since);
      return lock;
    } catch (error) {
      metrics.refused(request.kind, error);
      throw error;
    }
  }

  release(lock: HeldLock): Promise<void> {
    this.#ended(lock);
    return this.parts.lines.release(lock);
  }

  lost(lock: HeldLock, reason: LockLossReason): void {
    const { lines, farewell, metrics } = this.parts;
    this.#ended(lock);
    metrics.lost(reason);
    // The store may still have it, as its time ends later there, or others of its keys: nobody needs to wait for that.
    if (reason === 'DEADLINE' || lock.keys.length > 1) farewell.bid(lock.store, lock.hold);
    lines.gone(lock.hold);
  }

  async expireIn(lock: HeldLock, ms: number): Promise<void> {
    this.#ended(lock);
    try {
      await lock.store.extend([{ ...lock.hold, ttlMs: ms }]);
    } catch (error) {
      if (!(error instanceof LockUnavailableError)) throw error; // its time to live goes on as it is
    } finally {
      this.parts.lines.gone(lock.hold);
    }
  }

  async transaction<Db extends Transactional, Result>(
    lock: HeldLock,
    db: Db,
    run: (tx: TransactionOf<Db>) => Promise<Result>,
  ): Promise<Result> {
    const { token, holder } = lock.hold;
    const fences = lock.keys.map((key) => ({ resource: `${this.parts.space}:${key}`, token, holder }));
    try {
      return await fencedTransaction(db, fences, () => lock.assertHeld(), run);
    } catch (error) {
      if (error instanceof StaleFenceError) this.parts.stores.raise(error.newest);
      throw error;
    }
  }

  async inspect(kind: LockKind, key: string): Promise<LockReport> {
    return this.#deciding(kind).inspect(kind, key);
  }

  /** Takes a lock from its holders. The log has the reason, and the key's digest: keys may name people. */
  async force(kind: LockKind, key: string, reason: string): Promise<readonly HolderReport[]> {
    const holders = await this.#deciding(kind).force(kind, key);
    this.parts.metrics.forced();
    const owners = holders.map(({ owner }) => owner).join(', ') || 'nobody';
    const message = `A lock was taken from ${owners}: ${reason}`;
    this.parts.logger.warn(message, { event: 'lock.forced', kind, key: digest(key), reason });
    return holders;
  }

  /** It is not renewed any more, and was held for so long. */
  #ended(lock: HeldLock): void {
    this.parts.keeper.forget(lock);
    this.parts.metrics.ended(lock.hold.kind, lock.heldMs);
  }

  #deciding(kind: LockKind): LockStore {
    const store = this.parts.stores.preferred(kind);
    if (store === undefined) throw this.parts.stores.lost();
    return store;
  }

  /** Waits for those who hold a lock, then gives back what is left, so that others need not wait for it. */
  async drain(graceMs: number): Promise<void> {
    const { keeper, farewell } = this.parts;
    const endsAt = performance.now() + graceMs;
    while (keeper.size > 0 && performance.now() < endsAt) await new Promise((resume) => setTimeout(resume, 20));
    await Promise.all([...keeper.locks].map((lock) => lock.abandon()));
    await farewell.settled(Math.min(1_000, graceMs));
  }
}
