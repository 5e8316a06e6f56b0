import {
  LimitMismatchError,
  LockBusyError,
  LockQuarantineError,
  LockShutdownError,
  LockTooSlowError,
  LockUnavailableError,
  type LockError,
} from '../lock.errors.js';
import { Stopwatch, type Clock } from '../holding/clock.js';
import type { Farewell } from '../holding/farewell.js';
import type { Grant } from '../holding/held-lock.js';
import type { LockHold, LockStore } from '../stores/lock.store.js';
import type { LockStores } from '../stores/lock.stores.js';
import { Claimant, claimOf, holdOf, type LockRequest } from './claimant.js';
import { LockLine, type LineSurroundings } from './lock.line.js';

export interface LineOptions {
  readonly clock: Clock;
  readonly waiterTtlMs: number;
  /** Whom stores wake. */
  readonly instance: string;
  readonly usableMs: (ttlMs: number) => number;
  readonly onBug: (error: unknown) => void;
}

/** How this process gets its locks: at once, or by waiting in a line with its own kind. */
export class LockLines implements LineSurroundings {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly usableMs: (ttlMs: number) => number;
  readonly onBug: (error: unknown) => void;
  readonly #lines = new Map<string, LockLine>();
  readonly #places = new Map<string, () => void>();
  readonly #instance: string;
  #claims = 0;
  #closed = false;
  #listening = false;

  constructor(
    readonly stores: LockStores,
    readonly farewell: Farewell,
    options: LineOptions,
  ) {
    this.clock = options.clock;
    this.heartbeatMs = options.waiterTtlMs / 3;
    this.usableMs = options.usableMs;
    this.onBug = options.onBug;
    this.#instance = options.instance;
  }

  /** How many wait in this process. */
  get waiting(): number {
    return [...this.#lines.values()].reduce((sum, line) => sum + line.waiting, 0);
  }

  /**
   * Resolves to a grant.
   * @throws LockBusyError, LockUnavailableError, LockQuarantineError, LockTooSlowError, LimitMismatchError, LockShutdownError,
   * or the signal's reason.
   */
  async acquire(request: LockRequest, waitMs: number, signal: AbortSignal | undefined): Promise<Grant> {
    signal?.throwIfAborted();
    const name = nameOf(request);
    if (waitMs === 0) return this.#unlessTaken(request, name);
    if (this.#closed) {
      return this.#unlessTaken(request, name).catch((error: unknown) => {
        throw error instanceof LockBusyError ? new LockShutdownError() : error; // it would have waited
      });
    }
    const claimant = new Claimant(request, waitMs, signal, (gone) => this.#lines.get(name)?.leave(gone));
    (this.#lines.get(name) ?? this.#open(name)).join(claimant);
    return claimant.granted;
  }

  /** Gives back what was granted. Resolves when the store has heard, or will be told until it does. */
  async release({ hold, store, doubtful }: Omit<Grant, 'asked'>): Promise<void> {
    try {
      await (this.#lines.get(nameOf(hold))?.release(hold, store) ?? store.release(hold));
      if (doubtful) this.farewell.bid(store, hold, 1_000); // the unanswered try may be executed after the release
    } catch (error) {
      if (!(error instanceof LockUnavailableError)) throw error;
      this.farewell.bid(store, hold);
    }
  }

  /** What was granted is not held any more. */
  gone(hold: LockHold): void {
    this.#lines.get(nameOf(hold))?.gone(hold);
  }

  /** From now on nobody waits. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) line.close(new LockShutdownError());
  }

  /** @internal */
  newHolder(wake?: () => void): string {
    const holder = `${this.#instance}.${++this.#claims}`;
    if (wake) this.#places.set(holder, wake);
    return holder;
  }

  /** @internal */
  forgetHolder(holder: string): void {
    this.#places.delete(holder);
  }

  /** @internal */
  closeIfIdle(line: LockLine): void {
    if (line.idle && this.#lines.get(line.name) === line) this.#lines.delete(line.name);
  }

  /** @internal */
  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.stores.primary.onTurn((holder) => {
      if (holder !== undefined) this.#places.get(holder)?.();
      else for (const line of this.#lines.values()) line.wake();
    });
  }

  #open(name: string): LockLine {
    const line = new LockLine(name, this);
    this.#lines.set(name, line);
    return line;
  }

  /** Asks the store unless this process knows that it is busy. */
  async #unlessTaken(request: LockRequest, name: string): Promise<Grant> {
    const line = this.#lines.get(name);
    if (line?.taken) throw line.trouble ?? new LockBusyError(request.keys);
    return this.#now(request, name);
  }

  /** Asks once; a store that cannot decide is replaced by the one that stands in for it. */
  async #now(request: LockRequest, name: string): Promise<Grant> {
    let store = this.stores.preferred(request.kind);
    if (store === undefined) throw this.stores.lost();
    for (;;) {
      const claim = claimOf(request, this.newHolder(), false);
      const asked = new Stopwatch(this.clock);
      let failure: LockError;
      try {
        const outcome = await store.acquire(claim);
        if (outcome.state === 'granted') return this.#accept(holdOf(claim, outcome.token), store, asked, name);
        if (outcome.state === 'busy') throw new LockBusyError(request.keys);
        if (outcome.state === 'mismatch') throw new LimitMismatchError(request.keys[0]!, request.limit, outcome.limit);
        this.stores.quarantined(outcome.retryInMs);
        failure = new LockQuarantineError(outcome.retryInMs);
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) throw error;
        if (error.outcomeUnknown) this.farewell.bid(store, claim);
        failure = error;
      }
      const instead = this.stores.insteadOf(store, request.kind);
      if (instead === undefined) throw failure;
      store = instead;
    }
  }

  #accept(hold: LockHold, store: LockStore, asked: Stopwatch, name: string): Grant {
    const { elapsedMs } = asked;
    if (elapsedMs >= this.usableMs(hold.ttlMs)) {
      this.farewell.bid(store, hold);
      throw new LockTooSlowError(hold.keys, elapsedMs, hold.ttlMs);
    }
    if (hold.kind === 'mutex') (this.#lines.get(name) ?? this.#open(name)).holds(hold);
    return { hold, store, asked, doubtful: false };
  }
}

/** Which line: all kinds of locks have names of their own. */
function nameOf({ kind, keys }: Pick<LockHold, 'kind' | 'keys'>): string {
  return keys.length === 1 ? `${kind} ${keys[0]}` : `${kind} ${JSON.stringify(keys)}`;
}
