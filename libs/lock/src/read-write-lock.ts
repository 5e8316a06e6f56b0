import type { AcquireDefaults } from './acquire.options.js';
import type { LockFrames } from './holding/frames.js';
import type { LockGrants } from './holding/lock.grants.js';
import { nestedLock } from './holding/nested-lock.js';
import type { Lock } from './lock.js';
import type { LockName } from './lock-key.js';
import type { AcquireOptions } from './lock.options.js';
import { RW_UNITS } from './stores/lock.store.js';

/** What shared locks are granted by. */
export interface SharingParts {
  readonly grants: Pick<LockGrants, 'grant'>;
  readonly frames: Pick<LockFrames, 'enter' | 'section'>;
  readonly defaults: Pick<AcquireDefaults, 'resolve'>;
}

/**
 * A lock that many may hold to read, or one to write. First come, first served: a writer who waits lets no later reader
 * in. Made by `LockService.rw`; any number of objects of one key are the same lock.
 * @example
 * const prices = locks.rw('prices');
 * await prices.usingRead({}, async () => quote());
 * await prices.usingWrite({ ttl: '30s' }, async () => reload());
 */
export class ReadWriteLock {
  constructor(
    readonly key: LockName,
    private readonly parts: SharingParts,
  ) {}

  /**
   * Asks to read, beside other readers.
   * @throws LockBusyError when a writer was there, or waited, for all of `wait`.
   * @throws LockUnavailableError when no store can decide; LockQuarantineError while Redis grants nothing.
   */
  async read(options?: AcquireOptions): Promise<Lock> {
    return this.#acquire(false, options);
  }

  /**
   * Asks to write, alone.
   * @throws LockUpgradeError at once, when this code runs in a section that reads.
   * @throws LockBusyError when others were there for all of `wait`.
   * @throws LockUnavailableError when no store can decide; LockQuarantineError while Redis grants nothing.
   */
  async write(options?: AcquireOptions): Promise<Lock> {
    return this.#acquire(true, options);
  }

  /** Runs a section as a reader, like `LockService.using`. */
  async usingRead<Result>(options: AcquireOptions, run: (lock: Lock) => Promise<Result>): Promise<Result> {
    return this.parts.frames.section(await this.read(options), { kind: 'rw', writes: false }, run);
  }

  /** Runs a section as the only one, like `LockService.using`. */
  async usingWrite<Result>(options: AcquireOptions, run: (lock: Lock) => Promise<Result>): Promise<Result> {
    return this.parts.frames.section(await this.write(options), { kind: 'rw', writes: true }, run);
  }

  #acquire(writes: boolean, options: AcquireOptions | undefined): Lock | Promise<Lock> {
    const { frames, grants, defaults } = this.parts;
    const { ttlMs, reentrant, ...how } = defaults.resolve(options);
    const keys = [this.key];
    const outer = frames.enter('rw', keys, writes, reentrant);
    if (outer !== undefined) return nestedLock(outer);
    return grants.grant({ kind: 'rw', keys, ttlMs, weight: writes ? RW_UNITS : 1, limit: RW_UNITS }, how);
  }
}
