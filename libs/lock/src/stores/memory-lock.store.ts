import { outsideRequests } from '@roost/redis';
import { hostname } from 'node:os';
import { systemClock, type Clock } from '../holding/clock.js';
import {
  LockStore,
  type ClaimOutcome,
  type ExtendOutcome,
  type HolderReport,
  type LockClaim,
  type LockHold,
  type LockKind,
  type LockReport,
  type Released,
  type ReleaseOutcome,
} from './lock.store.js';
import { tokenAt } from './lock.token.js';
import { MemoryLock, type Grant } from './memory-lock.js';

export interface MemoryLockStoreOptions {
  /** @default the clocks of this process */
  readonly clock?: Clock;
  /** After how long without asking again a waiter loses its place, in ms. @default 5_000 */
  readonly waiterTtlMs?: number;
}

const LOOKED_AT_PER_CLAIM = 2;

/**
 * Locks of a single process, with the same answers as Redis. Nothing here is ever evicted: what runs out is forgotten by
 * the clock when somebody looks, and every claim looks at two others, so that no timer is needed.
 */
export class MemoryLockStore extends LockStore {
  readonly name = 'memory';
  readonly #clock: Clock;
  readonly #waiterTtlMs: number;
  readonly #owner = `${hostname()}:${process.pid}`;
  readonly #locks = new Map<string, MemoryLock>();
  readonly #listeners = new Set<(holder: string) => void>();
  #lookedAt = this.#locks.entries();
  #token: bigint;

  constructor({ clock = systemClock, waiterTtlMs = 5_000 }: MemoryLockStoreOptions = {}) {
    super();
    this.#clock = clock;
    this.#waiterTtlMs = waiterTtlMs;
    // A database may remember the tokens of this process' predecessor: begin where the wall clock is.
    this.#token = tokenAt(clock.wall());
  }

  /** How many locks are in memory, held or waited for or not looked at since. */
  get size(): number {
    return this.#locks.size;
  }

  async acquire(claim: LockClaim): Promise<ClaimOutcome> {
    return this.#claim(claim, this.#clock.monotonic());
  }

  async extend(holds: readonly LockHold[]): Promise<readonly ExtendOutcome[]> {
    const now = this.#clock.monotonic();
    return holds.map((hold) => (this.#extend(hold, now) ? 'extended' : 'lost'));
  }

  async release(hold: LockHold, next?: LockClaim): Promise<Released> {
    const now = this.#clock.monotonic();
    const outcome = this.#giveUp(hold, now);
    const answer = next && this.#claim(next, now); // before the others are told, who may find it taken
    this.#tellNext(hold, now);
    return { outcome, next: answer };
  }

  async withdraw(claim: LockClaim): Promise<void> {
    const now = this.#clock.monotonic();
    this.#giveUp(claim, now);
    this.#tellNext(claim, now);
  }

  async inspect(kind: LockKind, key: string): Promise<LockReport> {
    const now = this.#clock.monotonic();
    const lock = this.#find(kind, key, now);
    return { holders: lock ? this.#report(lock, now) : [], waiting: lock?.waiting ?? 0 };
  }

  async force(kind: LockKind, key: string): Promise<readonly HolderReport[]> {
    const now = this.#clock.monotonic();
    const lock = this.#find(kind, key, now);
    if (lock === undefined) return [];
    const holders = this.#report(lock, now);
    lock.holders.clear();
    this.#tellNext({ kind, keys: [key] }, now);
    return holders;
  }

  onTurn(listener: (holder: string | undefined) => void): () => void {
    const own = (holder: string) => listener(holder); // so that one listener may be given twice
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  raise(token: bigint): void {
    if (this.#token < token) this.#token = token;
  }

  #claim(claim: LockClaim, now: number): ClaimOutcome {
    this.#lookAtOthers(now);
    const locks = claim.keys.map((key) => this.#at(claim.kind, key, now));
    const [own, ...others] = locks.map((lock) => lock.holders.get(claim.holder));
    if (own && others.every((grant) => grant?.token === own.token)) {
      for (const lock of locks) lock.extend(lock.holders.get(claim.holder)!, now + claim.ttlMs);
      return { state: 'granted', token: own.token };
    }
    const otherLimit = locks.map((lock) => lock.otherLimit(claim)).find((limit) => limit !== undefined);
    if (otherLimit !== undefined) {
      for (const lock of locks) lock.leave(claim.holder); // or it would stand in the way of those who agree
      this.#tellNext(claim, now);
      return { state: 'mismatch', limit: otherLimit };
    }
    if (!locks.every((lock) => lock.admits(claim))) {
      if (claim.wait) for (const lock of locks) lock.join(claim, now + this.#waiterTtlMs);
      // Some of several were taken away by force, which ends the grant: nobody believes in the rest.
      const freed = locks.filter((lock) => lock.holders.delete(claim.holder));
      if (freed.length > 0) this.#tellNext(claim, now);
      const retryInMs = Math.max(...locks.map((lock) => lock.retryInMs(now)));
      for (const key of claim.keys) this.#tidy(claim.kind, key, now);
      return { state: 'busy', retryInMs };
    }
    const token = ++this.#token;
    const { weight, limit } = claim;
    const sinceMs = this.#clock.wall();
    for (const lock of locks) lock.grant(claim, { token, weight, limit, sinceMs, endsAt: now + claim.ttlMs });
    this.#tellNext(claim, now); // several readers in a row
    return { state: 'granted', token };
  }

  #extend({ kind, keys, holder, token, ttlMs }: LockHold, now: number): boolean {
    const locks = keys.map((key) => this.#find(kind, key, now));
    if (!locks.every((lock) => lock?.holders.get(holder)?.token === token)) return false;
    for (const lock of locks) lock!.extend(lock!.holders.get(holder)!, now + ttlMs);
    return true;
  }

  /** Takes the holder out of the locks and their queues. */
  #giveUp({ kind, keys, holder }: LockClaim, now: number): ReleaseOutcome {
    const outcomes = new Set<ReleaseOutcome>();
    for (const key of keys) {
      const lock = this.#find(kind, key, now);
      lock?.leave(holder);
      if (lock?.holders.delete(holder)) outcomes.add('released');
      else outcomes.add(kind === 'mutex' && lock && lock.holders.size > 0 ? 'foreign' : 'absent');
    }
    return (['foreign', 'absent'] as const).find((each) => outcomes.has(each)) ?? 'released';
  }

  /** Tells those who are next and have room, and forgets what nobody uses. */
  #tellNext({ kind, keys }: Pick<LockClaim, 'kind' | 'keys'>, now: number): void {
    for (const key of keys) {
      const lock = this.#tidy(kind, key, now);
      const next = this.#listeners.size > 0 ? lock?.next() : undefined;
      if (next === undefined) continue;
      // Later, as a message of Redis would come: who is told asks again, and must not do so within this call.
      outsideRequests(() => queueMicrotask(() => this.#listeners.forEach((listener) => listener(next))));
    }
  }

  #tidy(kind: LockKind, key: string, now: number): MemoryLock | undefined {
    const lock = this.#find(kind, key, now);
    if (lock?.unused) this.#locks.delete(nameOf(kind, key));
    return lock;
  }

  #report(lock: MemoryLock, now: number): HolderReport[] {
    const owner = this.#owner;
    const reportOf = ([holder, { token, weight, sinceMs, endsAt }]: [string, Grant]) => {
      return { holder, token, owner, since: new Date(sinceMs), ttlMs: Math.ceil(endsAt - now), weight };
    };
    return [...lock.holders].map(reportOf);
  }

  #find(kind: LockKind, key: string, now: number): MemoryLock | undefined {
    return this.#locks.get(nameOf(kind, key))?.prune(now);
  }

  #at(kind: LockKind, key: string, now: number): MemoryLock {
    const found = this.#find(kind, key, now);
    if (found) return found;
    const lock = new MemoryLock();
    this.#locks.set(nameOf(kind, key), lock);
    return lock;
  }

  /**
   * Forgets what was held and never released. Before any lock is made: an unused one must not go
   * between its making and its grant. Two at a time come round faster than locks come.
   */
  #lookAtOthers(now: number): void {
    for (let i = 0; i < LOOKED_AT_PER_CLAIM; i++) {
      const { done, value } = this.#lookedAt.next();
      if (done) this.#lookedAt = this.#locks.entries();
      else if (value[1].prune(now).unused) this.#locks.delete(value[0]);
    }
  }
}

function nameOf(kind: LockKind, key: string): string {
  return `${kind}:${key}`;
}
