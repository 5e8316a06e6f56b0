import { isRedisUnavailable, type Backend } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import { replicasKey } from '../rollout/rollout.keys.js';
import { aboutEvery } from './about-every.js';
import { takeCensus } from './census.lua.js';

export interface ReplicaCensusOptions {
  /** How many there are at least. */
  readonly atLeast: number;
  /** How often this process says that it lives. @default 5_000 */
  readonly everyMs?: number;
  /** After how long without a word a process is taken for dead. @default 15_000 */
  readonly silentMs?: number;
  /** Called when Redis refused for another reason than an outage. */
  readonly onBug: (error: unknown) => void;
  readonly now?: () => number;
}

/**
 * Counts the processes that share the limits by those that are alive in Redis, so that each knows its part when Redis is
 * lost. Two applications in one process are two.
 */
export class ReplicaCensus {
  readonly #key = replicasKey.of({});
  readonly #id = randomUUID();
  #counted = 0;
  /** Until when a lower count is not believed: others may not have had the time to register. */
  #holdsUntil = -Infinity;
  #lost = false;
  #stop: (() => void) | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly options: ReplicaCensusOptions,
  ) {}

  /** How many processes share the limits, as far as this one knows. */
  get replicas(): number {
    return Math.max(this.#counted, this.options.atLeast);
  }

  /** Registers this process now and from now on. */
  start(): void {
    this.#stop ??= aboutEvery(this.options.everyMs ?? 5_000, () => void this.take());
    void this.take();
  }

  /** Counts once. While Redis is lost the last count stays. */
  async take(): Promise<void> {
    if (this.#stop === undefined || this.backend.current === 'memory') {
      this.#lost = true;
      return;
    }
    const { silentMs = 15_000, onBug } = this.options;
    try {
      const args = { id: this.#id, silentMs, ttlMs: 4 * silentMs };
      this.#believe(await this.backend.commands.run(takeCensus, { replicas: this.#key }, args), silentMs);
    } catch (error) {
      this.#lost = true;
      if (!isRedisUnavailable(error)) onBug(error);
    }
  }

  /** Deregisters this process; whoever dies without is noticed after `silentMs`. */
  async stop(): Promise<void> {
    if (this.#stop === undefined) return;
    this.#stop();
    this.#stop = undefined;
    if (this.backend.current === 'memory') return;
    try {
      await this.backend.commands.write('ZREM', this.#key, this.#id);
    } catch {
      // Lost meanwhile: the others notice by the silence.
    }
  }

  /**
   * A Redis that was lost may have lost its register: the count before holds until everybody had the time to come back.
   */
  #believe(counted: number, silentMs: number): void {
    const now = (this.options.now ?? monotonicMs)();
    if (this.#lost) this.#holdsUntil = now + silentMs;
    this.#lost = false;
    if (counted >= this.#counted || now >= this.#holdsUntil) this.#counted = counted;
  }
}

function monotonicMs(): number {
  return performance.now();
}
