import { outsideRequests } from '@roost/redis';
import { LimitMismatchError, LockQuarantineError, LockTooSlowError, LockUnavailableError } from '../lock.errors.js';
import { Stopwatch, type Clock } from '../holding/clock.js';
import type { ClaimOutcome, LockHold, LockKind, LockStore } from '../stores/lock.store.js';
import type { Claimant } from './claimant.js';
import { LinePlace, suits, type PlaceNames } from './line-place.js';
import { Turn } from './turn.js';
import type { Farewell } from '../holding/farewell.js';
import type { LockStores } from '../stores/lock.stores.js';

/** How long those who wait bear with a store that does not answer, in ms. */
const PATIENCE_MS = 1_000;
const RETRY_MS = 100;
/** How often a store without a queue is asked. */
const POLL_MS = 50;

/** What a line needs of those around it. */
export interface LineSurroundings extends PlaceNames {
  readonly clock: Clock;
  readonly stores: LockStores;
  readonly farewell: Farewell;
  /** How often a place in a queue needs a sign of life, in ms. */
  readonly heartbeatMs: number;
  usableMs(ttlMs: number): number;
  /** From now on stores may wake those who wait here. */
  listen(): void;
  closeIfIdle(line: LockLine): void;
  onBug(error: unknown): void;
}

/**
 * Those who wait in this process for the same keys, first come, first served. Only the first of them is known to the
 * store: the place in its queue belongs to the line, and passes on to the next when the first gives up.
 */
export class LockLine {
  readonly #waiting = new Set<Claimant>();
  /** The exclusive lock that this process has: nobody has to ask the store before it is given back. */
  #held: LockHold | undefined;
  readonly #turn = new Turn();
  readonly #place: LinePlace;
  #troubledSince: number | undefined;
  /** What the first of them was told last, if asking failed. */
  #trouble: Error | undefined;
  #driving = false;

  constructor(
    readonly name: string,
    private readonly around: LineSurroundings,
  ) {
    this.#place = new LinePlace(around, around.farewell, () => this.wake());
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get idle(): boolean {
    return this.#waiting.size === 0 && !this.#driving && this.#held === undefined;
  }

  /** Whether a claim that does not wait would be told so by the store. */
  get taken(): boolean {
    return this.#waiting.size > 0 || this.#held !== undefined;
  }

  /** Why nobody knows whether a claim that does not wait would be granted. */
  get trouble(): Error | undefined {
    return this.#held === undefined ? this.#trouble : undefined;
  }

  join(claimant: Claimant): void {
    claimant.trouble = this.#trouble;
    this.#waiting.add(claimant);
    this.#drive();
  }

  /** A claimant gave up: whoever comes next takes over its place. */
  leave(claimant: Claimant): void {
    this.#waiting.delete(claimant);
    const claimed = this.#place.present?.claim;
    // The place is to be given up, or to be one for something else.
    if (!this.#first || (claimed && !suits(claimed, this.#first.request))) this.wake();
  }

  /** The exclusive lock of this line was granted to somebody in this process. */
  holds(hold: LockHold): void {
    if (hold.kind === 'mutex') this.#held = hold;
  }

  /** The lock is not held any more, by loss or because the store was told already. */
  gone(hold: LockHold): void {
    if (this.#held === hold) this.#held = undefined;
    this.#drive();
  }

  /** Gives back what this process holds, and asks for the next in line by the same command. */
  async release(hold: LockHold, store: LockStore): Promise<void> {
    const next = this.#first;
    const together = next !== undefined && this.#held === hold && !this.#driving && this.#storeFor(hold.kind) === store;
    if (!together) {
      try {
        await store.release(hold);
      } finally {
        this.gone(hold);
      }
      return;
    }
    this.#driving = true;
    const place = this.#place.take(store, next.request);
    const asked = new Stopwatch(this.around.clock);
    let answer: ClaimOutcome | undefined;
    try {
      answer = (await store.release(hold, place.claim)).next;
    } catch (error) {
      place.doubtful = true;
      throw error;
    } finally {
      this.#held = undefined;
      const known = answer;
      outsideRequests(() => void this.#run(known && (() => this.#settle(known, store, asked))));
    }
  }

  /** The line's turn has probably come. */
  wake(): void {
    this.#turn.come();
  }

  close(error: Error): void {
    for (const claimant of this.#waiting) claimant.fail(error);
  }

  get #first(): Claimant | undefined {
    return this.#waiting.values().next().value;
  }

  /** Whoever stops waiting now is told so, and not that the lock is busy: nobody knows. */
  #tell(trouble: Error | undefined): void {
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    for (const claimant of this.#waiting) claimant.trouble = trouble;
  }

  #drive(): void {
    if (this.#driving) return;
    if (this.#waiting.size === 0 || this.#held !== undefined) return this.around.closeIfIdle(this);
    this.#driving = true;
    outsideRequests(() => void this.#run());
  }

  /** Asks until nobody waits, or somebody here holds the lock. Resolves, whatever happens. */
  async #run(firstStep?: () => Promise<void> | void): Promise<void> {
    try {
      await firstStep?.();
      while (this.#waiting.size > 0 && this.#held === undefined) await this.#ask();
    } catch (error) {
      this.around.onBug(error);
      for (const claimant of this.#waiting) claimant.fail(error);
    }
    this.#driving = false;
    if (this.#waiting.size === 0) this.#place.leave();
    this.around.closeIfIdle(this);
  }

  async #ask(): Promise<void> {
    const { request } = this.#first!;
    const store = this.#storeFor(request.kind);
    if (store === undefined) return this.#first!.fail(this.around.stores.lost());
    const place = this.#place.keep(store, request);
    const asked = new Stopwatch(this.around.clock);
    this.#turn.taken();
    let outcome: ClaimOutcome;
    try {
      outcome = await store.acquire(place.claim);
    } catch (error) {
      place.doubtful = true;
      return this.#failed(error, store);
    }
    this.#troubledSince = undefined;
    await this.#settle(outcome, store, asked);
  }

  /** A store that stands in is kept to while this line moves: to change within one queue would break its order. */
  #storeFor(kind: LockKind): LockStore | undefined {
    const { stores } = this.around;
    const present = this.#place.present?.store;
    return present !== undefined && present !== stores.primary ? present : stores.preferred(kind);
  }

  async #settle(outcome: ClaimOutcome, store: LockStore, asked: Stopwatch): Promise<void> {
    const first = this.#first;
    if (outcome.state !== 'quarantine') this.#tell(undefined);
    if (outcome.state === 'granted') return this.#grant(outcome.token, store, asked);
    if (first === undefined) return;
    if (outcome.state === 'mismatch') {
      return first.fail(new LimitMismatchError(first.request.keys[0]!, first.request.limit, outcome.limit));
    }
    if (outcome.state === 'quarantine') {
      this.around.stores.quarantined(outcome.retryInMs);
      const instead = this.around.stores.insteadOf(store, first.request.kind);
      if (instead !== undefined) return void this.#place.take(instead, first.request);
      const refusal = new LockQuarantineError(outcome.retryInMs);
      this.#tell(refusal);
      if (first.leftMs < outcome.retryInMs) return first.fail(refusal);
      return this.#pause(Math.min(outcome.retryInMs + 2, this.around.heartbeatMs));
    }
    const polled = store.name === 'postgres' ? POLL_MS * (0.5 + 2 * Math.random()) : this.around.heartbeatMs;
    await this.#pause(outcome.retryInMs > 0 ? Math.min(polled, outcome.retryInMs + 2) : polled);
  }

  #grant(token: bigint, store: LockStore, asked: Stopwatch): void {
    const { claim, doubtful } = this.#place.present!;
    const first = this.#first;
    if (first === undefined || !suits(claim, first.request)) return this.#place.leave();
    if (claim.ttlMs !== first.request.ttlMs) return; // asked again, it is granted again, for as long as is wanted now
    if (asked.elapsedMs >= this.around.usableMs(claim.ttlMs)) {
      this.#place.leave();
      return first.fail(new LockTooSlowError(claim.keys, asked.elapsedMs, claim.ttlMs));
    }
    const hold = this.#place.granted(token);
    this.#waiting.delete(first);
    this.holds(hold);
    first.grant({ hold, store, asked, doubtful });
  }

  async #failed(error: unknown, store: LockStore): Promise<void> {
    const first = this.#first;
    if (first === undefined) return;
    if (!(error instanceof LockUnavailableError)) {
      this.#place.leave();
      return first.fail(error);
    }
    const instead = this.around.stores.insteadOf(store, first.request.kind);
    if (instead !== undefined) return void this.#place.take(instead, first.request);
    this.#troubledSince ??= performance.now();
    this.#tell(error);
    // A store that is cut off for a moment is waited for; one that is known to be gone was not asked at all.
    if (performance.now() - this.#troubledSince < PATIENCE_MS) return this.#pause(RETRY_MS);
    // They all wait for the same store: asking it once for each would keep the last of them for as long as all together.
    this.#place.leave();
    for (const claimant of this.#waiting) claimant.fail(error);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#waiting.size === 0) return;
    this.around.listen();
    await this.#turn.wait(ms);
  }
}
