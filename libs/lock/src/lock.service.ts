import { Injectable } from '@nestjs/common';
import { show } from '@roost/redis';
import type { Lock } from './lock.js';
import { AcquireDefaults, type ResolvedAcquire } from './acquire.options.js';
import type { DutiesParts } from './duties/duties.parts.js';
import type { Election, ElectionOptions } from './duties/election.js';
import { Elections } from './duties/elections.js';
import { Once, type OnceOptions } from './duties/once.js';
import { LockFrames } from './holding/frames.js';
import { LockGrants } from './holding/lock.grants.js';
import { nestedLock } from './holding/nested-lock.js';
import { InvalidLockOptionsError, nullWhenBusy } from './lock.errors.js';
import { ReadWriteLock, type SharingParts } from './read-write-lock.js';
import { Semaphore } from './semaphore.js';
import { sortedKeys, type LockName } from './lock-key.js';
import type { AcquireOptions } from './lock.options.js';
import type { HolderReport, LockKind, LockReport, LockStoreName } from './stores/lock.store.js';

/**
 * Locks by name: one holder at a time across all processes.
 * @example
 * await locks.using(lockKey('car', carId), { ttl: '30s', wait: '5s' }, async (lock) => { … });
 */
@Injectable()
export class LockService {
  readonly #elections: Elections;
  readonly #once: Once;

  constructor(
    private readonly grants: LockGrants,
    private readonly frames: LockFrames,
    private readonly defaults: AcquireDefaults,
    { records, logger }: DutiesParts,
  ) {
    this.#once = new Once(this, records);
    this.#elections = new Elections({ locks: this, logger, ttlMsOf: (ttl) => defaults.ttlMs(ttl) });
  }

  get #sharing(): SharingParts {
    const { grants, frames, defaults } = this;
    return { grants, frames, defaults };
  }

  /**
   * Who decides about locks by configuration; during an outage a `guard` may stand in.
   * @internal
   */
  get home(): LockStoreName {
    return this.grants.home;
  }

  /** The lock of the innermost section that this code runs in, by {@link using} or `@WithLock`. */
  get current(): Lock | undefined {
    return this.frames.current;
  }

  /**
   * Asks for a lock of one key, or of several: all or none, in one step.
   * @throws LockBusyError when it stayed busy for `wait`.
   * @throws LockUnavailableError when no store can decide; LockQuarantineError while Redis grants nothing.
   */
  async acquire(keys: LockName | readonly LockName[], options?: AcquireOptions): Promise<Lock> {
    return this.#acquire(sortedKeys(keys), this.defaults.resolve(options));
  }

  /** Like {@link acquire} without waiting; null when it is busy, and only then. */
  async tryAcquire(keys: LockName | readonly LockName[], options?: Omit<AcquireOptions, 'wait'>): Promise<Lock | null> {
    return this.acquire(keys, { ...options, wait: 0 }).catch(nullWhenBusy);
  }

  /**
   * Runs a section under a lock and gives the lock back. Errors of the section pass unchanged.
   * @throws LockLostError when the lock was lost meanwhile, also when the section has returned.
   */
  async using<Result>(
    keys: LockName | readonly LockName[],
    options: AcquireOptions,
    run: (lock: Lock) => Promise<Result>,
  ): Promise<Result> {
    const lock = await this.acquire(keys, options);
    return this.frames.section(lock, { kind: 'mutex', writes: true }, run);
  }

  /** A lock that many may hold to read, or one to write. */
  rw(key: LockName): ReadWriteLock {
    return new ReadWriteLock(sortedKeys([key])[0]!, this.#sharing);
  }

  /**
   * So many permits that all processes share; all have to say the same number.
   * @throws InvalidLockOptionsError when it is no positive integer.
   */
  semaphore(key: LockName, permits: number): Semaphore {
    return new Semaphore(sortedKeys([key])[0]!, permits, this.#sharing);
  }

  /**
   * Stands for election until it is stopped: of all candidates of this name one leads, and when it dies, resigns or is
   * cut off another does.
   * @example
   * locks.elect('indexer', { onElected: (term) => indexUntil(term.signal), ttl: '10s' });
   * @throws InvalidLockOptionsError that names every problem at once.
   */
  elect(name: string, options: ElectionOptions): Election {
    return this.#elections.stand(name, options);
  }

  /**
   * Runs a section once for each key, and answers everybody with its result, which is JSON and kept for `keep`. What fails
   * is not remembered: its error passes unchanged, and the next call runs it again, as does one after the lock was lost.
   * @example
   * await locks.once(idempotencyKey, { keep: '24h', fingerprint: body }, () => charge(order));
   * @throws LockBusyError when somebody else does it for longer than `wait`.
   * @throws IdempotencyMismatchError when the key was used with another fingerprint.
   * @throws UnstorableResultError when the result is no JSON, or too large; the section has then run.
   * @throws LockLostError when the lock was lost before the result was stored.
   * @throws LockUnavailableError when the store of the results cannot be asked, also in guard mode.
   */
  once<Result>(key: string, options: OnceOptions, section: (lock: Lock) => Promise<Result>): Promise<Result> {
    return this.#once.run(key, options, section);
  }

  /**
   * Resigns wherever this process leads, and stands for no election any more.
   * @internal
   */
  stepDown(): Promise<void> {
    return this.#elections.close();
  }

  /** Who holds a lock, and how many wait. Keys stand in nothing that is logged: this is where to ask. */
  inspect(key: LockName, kind: LockKind = 'mutex'): Promise<LockReport> {
    return this.grants.inspect(kind, sortedKeys(key)[0]!);
  }

  /**
   * Takes a lock from whoever holds it: at its next renewal that holder is told that it is lost, and what it writes in
   * `transaction` is refused as soon as a later holder has written. Logged with the reason. Resolves to those it was
   * taken from.
   */
  async forceRelease(key: LockName, reason: string, kind: LockKind = 'mutex'): Promise<readonly HolderReport[]> {
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw new InvalidLockOptionsError([`expected a reason for the log, got ${show(reason)}`]);
    }
    return this.grants.force(kind, sortedKeys(key)[0]!, reason);
  }

  #acquire(keys: readonly LockName[], options: ResolvedAcquire): Lock | Promise<Lock> {
    const outer = this.frames.enter('mutex', keys, true, options.reentrant);
    if (outer !== undefined) return nestedLock(outer);
    return this.grants.grant({ kind: 'mutex', keys, ttlMs: options.ttlMs, weight: 1, limit: 1 }, options);
  }
}
