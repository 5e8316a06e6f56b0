import type { LoggerService } from '@nestjs/common';
import { LockError, LockQuarantineError, LockShutdownError } from '../lock.errors.js';
import { lockKey } from '../lock-key.js';
import type { Lock } from '../lock.js';
import type { LockService } from '../lock.service.js';
import type { CronDuty } from './cron.duties.js';
import type { CronClock } from './cron.schedule.js';
import { described } from './described.js';

/**
 * `taken`: another process runs it; `late`: its time is over for too long; `unavailable`, `quarantine`: nobody can say who
 * runs it; `shutdown`: this process ends; `refused`: the store found the question wrong, a bug; `failed`: it ran and threw;
 * `lost`: it ran, and lost the lock meanwhile.
 */
export type CronReason = 'taken' | 'late' | 'unavailable' | 'quarantine' | 'shutdown' | 'refused' | 'failed' | 'lost';

/** What became of one fire in this process: published on `roost:lock:cron`. */
export interface CronFire {
  readonly name: string;
  readonly fire: Date;
  /** Whether the method was called. */
  readonly ran: boolean;
  /** Undefined when it ran to its end. */
  readonly reason: CronReason | undefined;
}

/** The lock of a fire, which is kept after its use. */
interface KeptLock extends Lock {
  expireIn(ms: number): Promise<void>;
}

const KEEPING = 'The lock of a schedule could not be given up as it should.';

/** Runs the fires that this process gets. */
export class CronFires {
  readonly #troubled = new Set<string>();
  #closed = false;

  constructor(
    private readonly locks: Pick<LockService, 'tryAcquire' | 'home'>,
    private readonly logger: Pick<LoggerService, 'error' | 'warn'>,
    private readonly clock: Pick<CronClock, 'now'>,
    private readonly tell: (fire: CronFire) => void,
  ) {}

  /** No fire is begun any more. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when the fire is over; never rejects. */
  async run(duty: CronDuty, fireMs: number): Promise<void> {
    const { name } = duty;
    const fire = new Date(fireMs);
    const tell = (ran: boolean, reason?: CronReason) => this.tell({ name, fire, ran, reason });
    const objection = () => this.#objectionTo(duty, fireMs);
    const before = objection();
    if (before !== undefined) return tell(false, before);
    let lock: KeptLock | null;
    try {
      lock = (await this.locks.tryAcquire(lockKey('cron', name, fire.toISOString()), {
        ttl: duty.ttlMs,
      })) as KeptLock | null;
    } catch (error) {
      return tell(false, this.#why(name, error));
    }
    this.#troubled.delete(name);
    if (lock === null) return tell(false, 'taken');
    // Who stands in for Redis cannot see who had this fire there, nor will Redis see it afterwards.
    if (lock.backend !== this.locks.home) {
      await this.#attempt(name, KEEPING, () => lock.release());
      return tell(false, 'unavailable');
    }
    // The grant may have taken long: what another process knows of this fire could be forgotten by now.
    const after = objection();
    if (after !== undefined) {
      await this.#attempt(name, KEEPING, () => lock.release());
      return tell(false, after);
    }
    const grantedAt = performance.now();
    const ran = await this.#attempt(name, 'A scheduled method failed.', () => duty.run(lock));
    tell(true, ran ? (lock.held ? undefined : 'lost') : 'failed');
    const restMs = Math.ceil(duty.atLeastMs - (performance.now() - grantedAt));
    // A process whose clock is late comes to this fire after us.
    await this.#attempt(name, KEEPING, () => (restMs > 0 ? lock.expireIn(restMs) : lock.release()));
  }

  #objectionTo({ atLeastMs }: CronDuty, fireMs: number): CronReason | undefined {
    if (this.#closed) return 'shutdown';
    // Another process may have run it as early as half of `atLeast` before, by its clock, and is known for the other half.
    return this.clock.now() - fireMs > atLeastMs / 2 ? 'late' : undefined;
  }

  async #attempt(name: string, failure: string, run: () => unknown): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      this.logger.error(failure, { event: 'cron.failed', cron: name, error: described(error) });
      return false;
    }
  }

  #why(name: string, error: unknown): CronReason {
    if (error instanceof LockShutdownError) return 'shutdown';
    if (error instanceof LockError && !this.#troubled.has(name)) {
      this.#troubled.add(name); // said once until a store answers again
      this.logger.warn('A scheduled method is not run: nobody can say who runs it.', {
        event: 'cron.unavailable',
        cron: name,
        error: error.message,
      });
    }
    if (error instanceof LockQuarantineError) return 'quarantine';
    if (error instanceof LockError) return 'unavailable';
    this.logger.error('The lock of a schedule was refused.', {
      event: 'cron.refused',
      cron: name,
      error: described(error),
    });
    return 'refused';
  }
}
