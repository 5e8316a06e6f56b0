import { FenceUnsupportedError, LockLostError, type LockLossReason } from '../lock.errors.js';
import type { Assurance, Lock, LockState } from '../lock.js';
import type { Transactional, TransactionOf } from '../fencing/transactional.js';
import type { ExtendOutcome, LockHold, LockStore, LockStoreName } from '../stores/lock.store.js';
import type { Clock, Stopwatch } from './clock.js';

/** A grant: what was granted, by whom, and when it was asked for. */
export interface Grant {
  readonly hold: LockHold;
  readonly store: LockStore;
  /** Started before the request was sent. */
  readonly asked: Stopwatch;
  /** Whether an earlier try of the same claim was never answered, and may still be executed. */
  readonly doubtful: boolean;
}

/** What a held lock needs of those around it. */
export interface LockSurroundings {
  readonly clock: Clock;
  assuranceOf(store: LockStore): Assurance;
  /** For how long after it was asked for a lock may be used. */
  usableMs(ttlMs: number): number;
  /** Gives it back to its store; resolves when the store has heard, or will be told later. */
  release(lock: HeldLock): Promise<void>;
  /** It is not held any more, and was not released. */
  lost(lock: HeldLock, reason: LockLossReason): void;
  /** Keeps it alive in the store for so long and forgets it. */
  expireIn(lock: HeldLock, ms: number): Promise<void>;
  /** Runs a transaction with all keys fenced. */
  transaction<Db extends Transactional, Result>(
    lock: HeldLock,
    db: Db,
    run: (tx: TransactionOf<Db>) => Promise<Result>,
  ): Promise<Result>;
}

/** A lock that this process was granted. */
export class HeldLock implements Lock {
  readonly hold: LockHold;
  readonly store: LockStore;
  readonly doubtful: boolean;
  #asked: Stopwatch;
  #state: LockState = 'healthy';
  #usableMs: number;
  #loss: LockLostError | undefined;
  #abort: AbortController | undefined;
  #released: Promise<boolean> | undefined;
  #kept = false;
  readonly #since = performance.now();
  readonly #around: LockSurroundings;

  constructor(
    { hold, store, asked, doubtful }: Grant,
    /** Whether it is renewed until it is released. */
    readonly renews: boolean,
    around: LockSurroundings,
  ) {
    this.#around = around;
    this.hold = hold;
    this.store = store;
    this.doubtful = doubtful;
    this.#asked = asked;
    this.#usableMs = around.usableMs(hold.ttlMs);
  }

  get key(): string {
    return this.hold.keys[0]!;
  }

  get keys(): readonly string[] {
    return this.hold.keys;
  }

  get token(): bigint {
    return this.hold.token;
  }

  get backend(): LockStoreName {
    return this.store.name;
  }

  get assurance(): Assurance {
    return this.#around.assuranceOf(this.store);
  }

  get deadline(): Date {
    return new Date(this.#asked.startedAt + this.#usableMs);
  }

  get state(): LockState {
    this.#look();
    return this.#state;
  }

  get held(): boolean {
    this.#look();
    return this.#state === 'healthy' || this.#state === 'uncertain';
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#loss !== undefined) this.#abort.abort(this.#loss);
    }
    return this.#abort.signal;
  }

  /** How long ago it was granted, in ms. */
  get heldMs(): number {
    return performance.now() - this.#since;
  }

  /** Whether it was left to its time to live on purpose. */
  get kept(): boolean {
    return this.#kept;
  }

  /** How long it may be used from now on unless it is renewed, in ms; negative when its time is over. */
  get leftMs(): number {
    return this.#usableMs - this.#asked.elapsedMs;
  }

  assertHeld(): void {
    this.#look();
    if (this.#loss !== undefined) throw this.#loss;
    if (this.#state === 'released') throw new LockLostError(this.keys, 'RELEASED');
  }

  release(): Promise<boolean> {
    if (this.#released !== undefined) return this.#released.then(() => false);
    const held = this.held;
    if (held) this.#state = 'released';
    this.#released = held ? this.#around.release(this).then(() => true) : Promise.resolve(false);
    return this.#released;
  }

  /**
   * Ends it `ms` from now, in the store and for this process at once: nobody else gets it before.
   * @internal
   */
  async expireIn(ms: number): Promise<void> {
    if (!this.held) return;
    this.#state = 'released';
    this.#kept = true;
    this.#released = Promise.resolve(false);
    await this.#around.expireIn(this, ms);
  }

  async transaction<Db extends Transactional, Result>(
    db: Db,
    run: (tx: TransactionOf<Db>) => Promise<Result>,
  ): Promise<Result> {
    if (this.hold.kind !== 'mutex') {
      throw new FenceUnsupportedError('Only a lock that one holder has alone can fence; this one is shared');
    }
    this.assertHeld();
    return this.#around.transaction(this, db, run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** The process ends: whoever holds it is told that it is lost, and the store that it is free. */
  async abandon(): Promise<void> {
    if (!this.held) return;
    this.#state = 'lost';
    this.#loss = new LockLostError(this.keys, 'SHUTDOWN');
    this.#abort?.abort(this.#loss);
    await this.#around.release(this);
  }

  /** A renewal that was asked for at `asked` was answered. Too late is too late: somebody else may have been here. */
  answered(outcome: ExtendOutcome, asked: Stopwatch): void {
    if (!this.held) return;
    if (outcome === 'lost') return this.lose('LOST');
    if (outcome === 'unsettled') return this.doubt();
    this.#asked = asked;
    this.#state = 'healthy';
    this.#look();
  }

  /** A renewal failed, and is tried again. */
  doubt(): void {
    if (this.held) this.#state = 'uncertain';
  }

  /** It is not held any more. */
  lose(reason: LockLossReason, cause?: unknown): void {
    if (this.#state === 'lost' || this.#state === 'released') return;
    this.#state = 'lost';
    this.#loss = new LockLostError(this.keys, reason, cause);
    this.#abort?.abort(this.#loss);
    this.#around.lost(this, reason);
  }

  /** Timers are late when this process was busy or asleep: the clocks are not. */
  #look(): void {
    if (this.#state !== 'lost' && this.#state !== 'released' && this.leftMs <= 0) this.lose('DEADLINE');
  }
}
