import { show } from '@roost/redis';
import { InvalidLockOptionsError, nullWhenBusy } from './lock.errors.js';
import type { Lock } from './lock.js';
import type { LockName } from './lock-key.js';
import type { AcquireOptions } from './lock.options.js';
import type { SharingParts } from './read-write-lock.js';

/** How permits are asked for. Asked again inside a section, they are more permits: there is no re-entry. */
export type PermitOptions = Omit<AcquireOptions, 'reentrant'>;

/**
 * So many permits that all processes share. First come, first served: who asks for few does not pass one who waits for
 * many. Made by `LockService.semaphore`; any number of objects of one key are the same semaphore.
 * @example
 * const reports = locks.semaphore('reports', 3);
 * await reports.using(2, { wait: '1m' }, async () => render());
 */
export class Semaphore {
  /** @throws InvalidLockOptionsError when there is no such number of permits. */
  constructor(
    readonly key: LockName,
    readonly permits: number,
    private readonly parts: SharingParts,
  ) {
    const problems: string[] = [];
    checkCount('permits', permits, problems);
    if (problems.length > 0) throw new InvalidLockOptionsError(problems);
  }

  /**
   * Asks for so many permits at once.
   * @throws LockBusyError when there were too few for all of `wait`.
   * @throws LimitMismatchError when it is in use with another number of permits.
   * @throws LockUnavailableError when no store can decide; LockQuarantineError while Redis grants nothing.
   */
  async acquire(weight = 1, options?: PermitOptions): Promise<Lock> {
    const { ttlMs, ...how } = this.#resolve(weight, options);
    const claim = { kind: 'semaphore', keys: [this.key], ttlMs, weight, limit: this.permits } as const;
    return this.parts.grants.grant(claim, how);
  }

  /** Like {@link acquire} without waiting; null when there are too few permits, and only then. */
  async tryAcquire(weight = 1, options?: Omit<PermitOptions, 'wait'>): Promise<Lock | null> {
    return this.acquire(weight, { ...options, wait: 0 }).catch(nullWhenBusy);
  }

  /** Runs a section with permits, like `LockService.using`. */
  async using<Result>(weight: number, options: PermitOptions, run: (lock: Lock) => Promise<Result>): Promise<Result> {
    return this.parts.frames.section(await this.acquire(weight, options), { kind: 'semaphore', writes: false }, run);
  }

  /** @throws InvalidLockOptionsError that names every problem at once. */
  #resolve(weight: number, options: PermitOptions | undefined) {
    const problems: string[] = [];
    checkCount('weight', weight, problems);
    if (weight > this.permits) {
      problems.push(`expected \`weight\` to be at most the ${this.permits} permits, got ${show(weight)}`);
    }
    try {
      const { reentrant, ...resolved } = this.parts.defaults.resolve(options);
      if (reentrant) problems.push('a semaphore has no `reentrant`: asked again, it gives more permits');
      if (problems.length === 0) return resolved;
    } catch (error) {
      if (!(error instanceof InvalidLockOptionsError)) throw error;
      problems.push(...error.problems);
    }
    throw new InvalidLockOptionsError(problems);
  }
}

function checkCount(name: string, value: unknown, problems: string[]): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    problems.push(`expected \`${name}\` to be a positive integer, got ${show(value)}`);
  }
}
