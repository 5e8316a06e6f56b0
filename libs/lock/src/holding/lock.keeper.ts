import { outsideRequests } from '@roost/redis';
import { LockUnavailableError } from '../lock.errors.js';
import type { ExtendOutcome, LockStore } from '../stores/lock.store.js';
import { Stopwatch, type Clock } from './clock.js';
import type { Farewell } from './farewell.js';
import type { HeldLock } from './held-lock.js';

/** Shorter pauses would keep the process busy with timers; it is also what a late abort may cost at most. */
const SHORTEST_PAUSE_MS = 5;

/** When the next thing has to be done about a lock, in ms of the monotonic clock. */
interface Watched {
  readonly lock: HeldLock;
  renewAt: number;
  /** A renewal is under way. */
  renewing: boolean;
}

/**
 * Keeps the locks of this process alive, and tells each when its time is over, whether or not a store answers. One timer
 * serves all; the renewals that are due together leave in one command.
 */
export class LockKeeper {
  readonly #watched = new Map<HeldLock, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly farewell: Farewell,
    private readonly onBug: (error: unknown) => void,
    private readonly onRenewal: (outcome: ExtendOutcome | 'failed') => void,
  ) {}

  /** The locks that are held now. */
  get locks(): Iterable<HeldLock> {
    return this.#watched.keys();
  }

  get size(): number {
    return this.#watched.size;
  }

  watch(lock: HeldLock): void {
    const renewAt = lock.renews ? this.clock.monotonic() + lock.hold.ttlMs / 3 : Infinity;
    const watched: Watched = { lock, renewAt, renewing: false };
    this.#watched.set(lock, watched);
    this.#arm(this.#nextOf(watched));
  }

  forget(lock: HeldLock): void {
    this.#watched.delete(lock);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  #nextOf({ lock, renewAt, renewing }: Watched): number {
    return Math.min(renewing ? Infinity : renewAt, this.clock.monotonic() + Math.max(0, lock.leftMs));
  }

  #arm(at: number): void {
    if (at >= this.#firesAt - 1) return;
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const pause = Math.max(SHORTEST_PAUSE_MS, Math.ceil(at - this.clock.monotonic()));
    this.#timer = outsideRequests(() => setTimeout(() => this.#tick(), pause).unref());
  }

  #tick(): void {
    this.#firesAt = Infinity;
    const now = this.clock.monotonic();
    const due = new Map<LockStore, Watched[]>();
    let next = Infinity;
    for (const watched of this.#watched.values()) {
      const { lock } = watched;
      if (!lock.held) {
        this.#watched.delete(lock); // it was told by being looked at
        continue;
      }
      // A tenth earlier than it has to be: what is due soon travels with what is due now.
      if (!watched.renewing && watched.renewAt - lock.hold.ttlMs / 30 <= now) {
        watched.renewing = true;
        const of = due.get(lock.store);
        if (of) of.push(watched);
        else due.set(lock.store, [watched]);
      }
      next = Math.min(next, this.#nextOf(watched));
    }
    for (const [store, all] of due) void this.#renew(store, all);
    if (next < Infinity) this.#arm(next);
  }

  async #renew(store: LockStore, all: readonly Watched[]): Promise<void> {
    // The first answer of two decides. The second try takes another connection: a half-open one is the usual cause.
    const patience = Math.min(...all.map(({ lock }) => lock.hold.ttlMs)) / 6;
    const answered = await this.#ask(store, all, false, patience);
    if (!answered) {
      for (const { lock } of all) lock.doubt();
      const held = all.filter(({ lock }) => lock.held);
      if (held.length > 0 && !(await this.#ask(store, held, true, patience))) this.onRenewal('failed');
    }
    for (const watched of all) {
      watched.renewing = false;
      if (!this.#watched.has(watched.lock)) continue;
      const { ttlMs } = watched.lock.hold;
      watched.renewAt = this.clock.monotonic() + (watched.lock.state === 'healthy' ? ttlMs / 3 : ttlMs / 12);
      this.#arm(this.#nextOf(watched));
    }
  }

  /** Resolves to whether the store answered within the time; a later answer is listened to all the same. */
  async #ask(store: LockStore, all: readonly Watched[], again: boolean, withinMs: number): Promise<boolean> {
    const asked = new Stopwatch(this.clock);
    const answer = this.#extend(store, all, again, asked);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = outsideRequests(() => setTimeout(() => resolve(false), withinMs).unref());
    });
    const inTime = await Promise.race([answer, late]);
    clearTimeout(timer);
    return inTime;
  }

  async #extend(store: LockStore, all: readonly Watched[], again: boolean, asked: Stopwatch): Promise<boolean> {
    try {
      const holds = all.map(({ lock }) => lock.hold);
      const outcomes = await store.extend(holds, again);
      all.forEach(({ lock }, index) => {
        const outcome = outcomes[index]!;
        this.onRenewal(outcome);
        const held = lock.held;
        if (held) lock.answered(outcome, asked);
        // Released or given up meanwhile, and yet the store has it: on another connection, or again after a loss of memory.
        else if (outcome !== 'lost' && !lock.kept) this.farewell.bid(store, lock.hold);
      });
      return true;
    } catch (error) {
      if (error instanceof LockUnavailableError) return false;
      if (all.length > 1) return this.#extendApart(store, all, again, asked);
      this.onBug(error);
      return false;
    }
  }

  /** One that the store finds wrong, such as a key that somebody else wrote to, must not end the others. */
  async #extendApart(store: LockStore, all: readonly Watched[], again: boolean, asked: Stopwatch): Promise<boolean> {
    const middle = all.length >> 1;
    const halves = [all.slice(0, middle), all.slice(middle)];
    const answered = await Promise.all(halves.map((half) => this.#extend(store, half, again, asked)));
    return answered.every(Boolean);
  }
}
