import { outsideRequests } from '@roost/redis';
import { LockUnavailableError } from '../lock.errors.js';
import type { LockClaim, LockStore } from '../stores/lock.store.js';

/** Beyond so many, the oldest are left to their time to live. */
const MOST = 10_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** How long after its time to live a claim may still be executed by a server that was frozen. */
const LINGER_MS = 60_000;

interface Leaving {
  readonly store: LockStore;
  readonly claim: LockClaim;
  readonly until: number;
  attempt: number;
}

/**
 * Takes claims back that were given up, until the store says that it has heard: a command that timed out may still be
 * executed when the server goes on, and would hold the lock for nobody.
 */
export class Farewell {
  readonly #leaving = new Set<Leaving>();
  #closed = false;

  /** A bug that a store answers with is reported here: nobody waits for the answer. */
  constructor(private readonly onBug: (error: unknown) => void) {}

  /** How many are not acknowledged yet. */
  get size(): number {
    return this.#leaving.size;
  }

  /** Takes the claim back from the store in the background, first after `inMs`. */
  bid(store: LockStore, claim: LockClaim, inMs = 0): void {
    if (this.#closed) return;
    if (this.#leaving.size >= MOST) this.#leaving.delete(this.#leaving.values().next().value!);
    const leaving: Leaving = { store, claim, until: performance.now() + claim.ttlMs + LINGER_MS, attempt: 0 };
    this.#leaving.add(leaving);
    if (inMs === 0) void this.#tell(leaving);
    else this.#later(leaving, inMs);
  }

  /** Resolves when all are acknowledged, or the time is over. */
  async settled(withinMs: number): Promise<void> {
    const endsAt = performance.now() + withinMs;
    while (this.#leaving.size > 0 && performance.now() < endsAt) await new Promise((resume) => setTimeout(resume, 10));
  }

  /** Gives up what is left. */
  close(): void {
    this.#closed = true;
    this.#leaving.clear();
  }

  async #tell(leaving: Leaving): Promise<void> {
    if (!this.#leaving.has(leaving)) return;
    try {
      await leaving.store.withdraw(leaving.claim);
      this.#leaving.delete(leaving);
    } catch (error) {
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** leaving.attempt++) * (0.5 + Math.random());
      const hopeless = !(error instanceof LockUnavailableError);
      if (hopeless) this.onBug(error);
      if (hopeless || performance.now() + pause > leaving.until) this.#leaving.delete(leaving);
      else this.#later(leaving, pause);
    }
  }

  #later(leaving: Leaving, pauseMs: number): void {
    outsideRequests(() => setTimeout(() => void this.#tell(leaving), pauseMs).unref());
  }
}
