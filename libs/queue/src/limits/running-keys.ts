import { outsideRequests } from '@roost/redis';
import type { KeyClaim, KeyHold, KeyLimits, KeyVerdict } from './key-limits.js';

export interface RunningKeysOptions {
  readonly limits: KeyLimits;
  /** For how long a place outlives this process; renewed three times as often. */
  readonly leaseMs: number;
  /** Told once of each place that was lost while its job runs: another job of the key may run as well. */
  readonly onLost: (hold: KeyHold) => void;
  /** Told of what failed in the background; a place is then free when its lease ends. */
  readonly onError: (error: unknown) => void;
}

/** The places that jobs of this process have, kept while they run. */
export class RunningKeys {
  readonly #options: RunningKeysOptions;
  readonly #holds = new Map<string, KeyHold>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RunningKeysOptions) {
    this.#options = options;
  }

  /** How many places this process has. */
  get size(): number {
    return this.#holds.size;
  }

  /** Asks for a place and keeps it until {@link finish}. Rejects as {@link KeyLimits.acquire} does, with no place taken. */
  async start(claim: Omit<KeyClaim, 'leaseMs'>): Promise<KeyVerdict> {
    const { queue, key, token } = claim;
    const hold: KeyHold = { queue, key, token };
    let verdict: KeyVerdict;
    try {
      verdict = await this.#options.limits.acquire({ ...claim, leaseMs: this.#options.leaseMs });
    } catch (error) {
      // It may have been granted although nobody answered.
      if (!this.#holds.has(idOf(hold))) void this.#giveBack(hold);
      throw error;
    }
    if (verdict.granted) {
      this.#holds.set(idOf(hold), hold);
      this.#arm();
    }
    return verdict;
  }

  /** Gives the place back once its job is done or goes back. Never rejects. */
  async finish(hold: KeyHold): Promise<void> {
    if (!this.#holds.delete(idOf(hold))) return;
    this.#disarmIfIdle();
    await this.#giveBack(hold);
  }

  /** Gives all places back. */
  async close(): Promise<void> {
    await Promise.all([...this.#holds.values()].map((hold) => this.finish(hold)));
  }

  #arm(): void {
    // Not one after the other: a renewal that is never answered must not be the last one.
    this.#timer ??= outsideRequests(() => setInterval(() => void this.#renew(), this.#options.leaseMs / 3).unref());
  }

  #disarmIfIdle(): void {
    if (this.#holds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renew(): Promise<void> {
    const { limits, leaseMs, onLost, onError } = this.#options;
    const asked = new Map(this.#holds);
    try {
      for (const lost of await limits.renew([...asked.values()], leaseMs)) {
        const id = idOf(lost);
        // Given back meanwhile, or given back and taken anew: then the answer is not about the present one.
        if (this.#holds.get(id) !== asked.get(id)) continue;
        this.#holds.delete(id);
        onLost(lost);
      }
    } catch (error) {
      onError(error);
    }
    this.#disarmIfIdle();
  }

  async #giveBack(hold: KeyHold): Promise<void> {
    try {
      await this.#options.limits.release(hold);
    } catch (error) {
      this.#options.onError(error);
    }
  }
}

function idOf({ queue, key, token }: KeyHold): string {
  return JSON.stringify([queue, key, token]);
}
