import type { LoggerService } from '@nestjs/common';
import { InvalidOptionsError, isRedisUnavailable, outsideRequests, type Backend, type Commands } from '@roost/redis';
import { adoptNewSpace } from './fencing/name-space.js';
import type { LockConfig } from './lock.config.js';
import type { Assurance } from './lock.js';
import type { PrimaryStanding } from './stores/lock.stores.js';
import { auditRedis, type RedisAudit } from './stores/redis-audit.js';
import type { RedisLockStore } from './stores/redis-lock.store.js';

/** How often who did not answer is asked again: Redis what locks survive, a database to remember the space. */
const RETRY_MS = 5_000;
/** Longer is not waited for before Redis decides: all that it costs is a quarantine that was not needed. */
const SETTLE_WITHIN_MS = 2_000;

export interface LockSpaceParts {
  readonly config: LockConfig;
  readonly backend: Backend;
  readonly store: RedisLockStore;
  readonly commands: Commands;
  /** What the space is called in a database: the first part of every key. */
  readonly name: string;
  readonly logger: Pick<LoggerService, 'warn'>;
}

/**
 * The locks of one Redis as a whole. Whenever Redis comes, and before it is asked for a lock, this finds out whether it
 * was ever used: one that was not has nothing to forget, and needs no quarantine.
 */
export class LockSpace implements PrimaryStanding {
  #known = false;
  /** Whether it may have been asked for locks since this process began. */
  #used = false;
  #settled: Promise<void> | undefined;
  #ready = false;
  #audit: RedisAudit | undefined;
  readonly #retries: Partial<Record<'look' | 'adopt', NodeJS.Timeout>> = {};
  #closed = false;

  constructor(private readonly parts: LockSpaceParts) {
    parts.backend.onChange(({ to }) => (to === 'redis' ? this.#settleUnasked() : this.#forget()));
  }

  /** Why Redis does not decide about locks now; undefined while it does. */
  get lostBy(): string | undefined {
    const { backend } = this.parts;
    if (backend.current !== 'redis') return backend.reason ?? 'unknown';
    if (!this.#ready) this.#settleUnasked();
    return this.#ready ? undefined : 'connecting';
  }

  get assurance(): Assurance {
    return this.#audit?.assurance ?? 'lease';
  }

  /** Resolves when Redis may be asked, or is not there. @throws InvalidOptionsError when `strict` refuses this Redis. */
  async settle(): Promise<void> {
    if (this.parts.backend.current !== 'redis') return;
    await (this.#settled ??= this.#settle().then(() => void (this.#ready = this.#used = true)));
    const problems = this.#audit?.problems ?? [];
    if (this.parts.config.strict && problems.length > 0) throw new InvalidOptionsError('LockModule', problems);
  }

  close(): void {
    this.#closed = true;
    for (const retry of Object.values(this.#retries)) clearTimeout(retry);
  }

  /** Nobody waits for it; whether this Redis is refused is a question of the boot. */
  #settleUnasked(): void {
    this.settle().catch(() => undefined);
  }

  #forget(): void {
    this.#ready = false;
    this.#settled = undefined;
  }

  /** Never rejects, and takes no longer than it may. */
  async #settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, SETTLE_WITHIN_MS).unref()));
    await Promise.race([Promise.all([this.#adopt(), this.#look()]), late]);
    clearTimeout(timer);
  }

  async #look(): Promise<void> {
    const { commands, config, logger, backend } = this.parts;
    if (backend.current !== 'redis') return; // it is looked at when it is back
    try {
      const before = this.#audit?.warnings ?? [];
      this.#audit = await auditRedis(commands, config);
      for (const warning of this.#audit.warnings.filter((each) => !before.includes(each))) {
        logger.warn(`Locks in this Redis: ${warning}`, { event: 'lock.audit' });
      }
    } catch (error) {
      logger.warn(`Redis does not say what its locks survive: ${(error as Error).message}`, { event: 'lock.audit' });
      if (isRedisUnavailable(error)) this.#again('look', () => this.#look());
    }
  }

  async #adopt(): Promise<void> {
    const { config, store, name, logger } = this.parts;
    if (this.#known || config.quarantineMs === 0) return;
    // A database that answers late must not take for new what has forgotten the locks that were granted meanwhile.
    const adopt = () => (this.#used ? Promise.resolve(false) : store.adopt());
    try {
      if (config.assumeFresh) await adopt();
      else if (config.guard) await adoptNewSpace(config.guard, name, adopt);
      this.#known = true; // from now on a Redis without any trace of locks is one that forgot them
    } catch (error) {
      const message = `It is not known whether this Redis was used before: ${(error as Error).message}`;
      logger.warn(message, { event: 'lock.space' });
      // Until the database has heard of the space, another process could take this Redis for new after a loss.
      if (config.guard) this.#again('adopt', () => this.#adopt());
    }
  }

  #again(what: 'look' | 'adopt', run: () => Promise<void>): void {
    clearTimeout(this.#retries[what]);
    if (this.#closed) return;
    this.#retries[what] = outsideRequests(() => setTimeout(() => void run(), RETRY_MS).unref());
  }
}
