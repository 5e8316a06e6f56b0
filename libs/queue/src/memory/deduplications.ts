import type { DeduplicationOptions } from 'bullmq';
import type { MemoryJobDraft } from './memory-job.js';
import type { QueueClock } from './queue-clock.js';

interface Holder {
  readonly jobId: string;
  readonly expiresAt: number;
}

/** A job that is to be added when the one that runs under the same deduplication id has ended. */
export interface NextJob {
  readonly jobId: string;
  readonly draft: MemoryJobDraft;
  readonly isChild: boolean;
}

/** Which job holds which deduplication id, and what comes after it. */
export class Deduplications {
  readonly next = new Map<string, NextJob>();
  readonly #clock: QueueClock;
  readonly #holders = new Map<string, Holder>();

  constructor(clock: QueueClock) {
    this.#clock = clock;
  }

  holder(id: string): string | undefined {
    return this.#holder(id)?.jobId;
  }

  /** Whether it is held until its job has ended, and not for a time. */
  isUntilEnd(id: string): boolean {
    return this.#holder(id)?.expiresAt === Infinity;
  }

  /** Lets a job hold the id, for a time where the options want that. */
  claim(jobId: string, { id, ttl, keepLastIfActive }: DeduplicationOptions): void {
    const expiresAt = ttl && ttl > 0 && !keepLastIfActive ? this.#clock.now() + ttl : Infinity;
    this.#holders.set(id, { jobId, expiresAt });
  }

  /** Lets another job hold the id for the time that is left. */
  handOver(id: string, jobId: string): void {
    this.#holders.set(id, { jobId, expiresAt: this.#holder(id)?.expiresAt ?? Infinity });
  }

  /** Lets its holder hold it until that has ended. */
  persist(id: string): void {
    const holder = this.#holder(id);
    if (holder) this.#holders.set(id, { ...holder, expiresAt: Infinity });
  }

  /** Whether there was one. */
  release(id: string): boolean {
    const held = this.#holder(id) !== undefined;
    this.#holders.delete(id);
    return held;
  }

  #holder(id: string): Holder | undefined {
    const holder = this.#holders.get(id);
    if (holder && holder.expiresAt > this.#clock.now()) return holder;
    this.#holders.delete(id);
    return undefined;
  }
}
