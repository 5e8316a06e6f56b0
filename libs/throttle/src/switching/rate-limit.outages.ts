import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { Backend } from '@roost/redis';
import type { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { aboutEvery } from './about-every.js';
import type { OutageDebts } from './outage-debts.js';
import type { ReplicaCensus } from './replica-census.js';

/** Between returns: for what one failed call left behind. */
const MERGE_MS = 5_000;

/** Prepares for outages while there is none, and settles them when they are over. */
export class RateLimitOutages implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #stops: (() => void)[] = [];

  constructor(
    private readonly backend: Backend,
    private readonly census: ReplicaCensus,
    private readonly debts: OutageDebts,
    private readonly insurance: MemoryRateLimitStore,
    /** Whether Redis is used at all. */
    private readonly enabled: boolean,
  ) {}

  /** Nothing is waited for: the application starts with or without Redis. */
  onApplicationBootstrap(): void {
    if (!this.enabled) return;
    this.#stops.push(
      // Only after the ramp: until then the insurance still grants.
      this.backend.onChange(({ to }) => void (to === 'redis' && this.#settle())),
      aboutEvery(MERGE_MS, () => void (this.backend.current === 'redis' && this.debts.merge())),
    );
    this.census.start();
  }

  /** Before the connection closes. */
  async beforeApplicationShutdown(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await this.census.stop();
  }

  onApplicationShutdown(): void {
    this.insurance.close();
  }

  async #settle(): Promise<void> {
    await this.census.take();
    await this.debts.merge();
  }
}
