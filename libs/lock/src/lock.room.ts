import type { LoggerService } from '@nestjs/common';
import { AcquireDefaults } from './acquire.options.js';
import { MemoryOnceRecords } from './duties/memory-once.records.js';
import type { OnceRecords } from './duties/once.records.js';
import { Farewell } from './holding/farewell.js';
import { LockFrames } from './holding/frames.js';
import { LockGrants } from './holding/lock.grants.js';
import { LockKeeper } from './holding/lock.keeper.js';
import type { HealthReport } from '@roost/redis';
import type { LockConfig } from './lock.config.js';
import type { LockMetrics } from './lock.metrics.js';
import { LockService } from './lock.service.js';
import type { LockStores } from './stores/lock.stores.js';
import { LockLines } from './waiting/lock.lines.js';

export interface RoomOptions {
  readonly config: LockConfig;
  readonly stores: LockStores;
  readonly metrics: LockMetrics;
  readonly logger: Pick<LoggerService, 'warn' | 'error'>;
  /** Whom stores wake. */
  readonly instance: string;
  /** First part of a resource's name in a database. */
  readonly space: string;
  /** Where results of `once` are kept. @default this process */
  readonly records?: OnceRecords;
}

/** All that one application has of locks, put together. */
export class LockRoom {
  readonly service: LockService;
  readonly grants: LockGrants;
  readonly #farewell: Farewell;
  readonly #keeper: LockKeeper;
  readonly #lines: LockLines;
  readonly #stores: LockStores;
  readonly #graceMs: number;
  #drained: Promise<void> | undefined;

  constructor({ config, stores, metrics, logger, instance, space, records }: RoomOptions) {
    const { clock, waiterTtlMs } = config;
    const usableMs = (ttlMs: number) => config.usableMs(ttlMs);
    const onBug = (error: unknown) =>
      logger.error(`A store of locks failed: ${String(error)}`, { event: 'lock.bug', error: String(error) });
    const farewell = new Farewell(onBug);
    const keeper = new LockKeeper(clock, farewell, onBug, (outcome) => metrics.renewed(outcome));
    const lines = new LockLines(stores, farewell, { clock, waiterTtlMs, instance, usableMs, onBug });
    this.grants = new LockGrants({ clock, stores, lines, keeper, farewell, metrics, logger, space, usableMs });
    this.service = new LockService(this.grants, new LockFrames(onBug), new AcquireDefaults(config), {
      records: records ?? new MemoryOnceRecords(stores.primary),
      logger,
    });
    this.#farewell = farewell;
    this.#keeper = keeper;
    this.#lines = lines;
    this.#stores = stores;
    this.#graceMs = config.shutdownGraceMs;
    metrics.show({
      get held() {
        return keeper.size;
      },
      get waiting() {
        return lines.waiting;
      },
      get leaving() {
        return farewell.size;
      },
    });
  }

  /** What health shows of the locks. */
  report(): HealthReport {
    const { trouble } = this.#stores;
    const store = this.#stores.preferred('mutex');
    return {
      status: trouble === undefined ? 'up' : 'degraded',
      backend: store?.name ?? 'none',
      reason: trouble ?? null,
      assurance: store ? this.#stores.assuranceOf(store) : 'none',
      held: this.#keeper.size,
      waiting: this.#lines.waiting,
      leaving: this.#farewell.size,
    };
  }

  /** From now on nobody leads. */
  stepDown(): void {
    void this.service.stepDown();
  }

  /** From now on nobody waits, nor leads: the process is about to end. Those who hold a lock go on. */
  stopWaiting(): void {
    this.stepDown();
    this.#lines.close();
  }

  /** Waits for those who hold a lock, and gives back what is left; may be called twice. */
  drain(): Promise<void> {
    this.stopWaiting();
    return (this.#drained ??= this.grants.drain(this.#graceMs).finally(() => {
      this.#stores.close();
      this.#keeper.close();
      this.#farewell.close();
    }));
  }
}
