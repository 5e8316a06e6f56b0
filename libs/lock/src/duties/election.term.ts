import { LockLostError } from '../lock.errors.js';
import type { Assurance, Lock, LockState } from '../lock.js';
import type { Transactional, TransactionOf } from '../fencing/transactional.js';
import type { LockStoreName } from '../stores/lock.store.js';

/**
 * The time that somebody leads: the lock of the election, which is over for its leader a moment before it is given back,
 * so that nobody is elected while work of the term goes on.
 */
export class Term implements Lock {
  readonly signal: AbortSignal;
  readonly #end = new AbortController();

  constructor(private readonly lock: Lock) {
    this.signal = AbortSignal.any([lock.signal, this.#end.signal]);
  }

  /** Tells whoever works for this term to stop. The lock is still held. */
  end(): void {
    this.#end.abort(new LockLostError(this.keys, 'RELEASED'));
  }

  get key(): string {
    return this.lock.key;
  }

  get keys(): readonly string[] {
    return this.lock.keys;
  }

  get token(): bigint {
    return this.lock.token;
  }

  get deadline(): Date {
    return this.lock.deadline;
  }

  get held(): boolean {
    return this.lock.held && !this.signal.aborted;
  }

  get state(): LockState {
    return this.#end.signal.aborted && this.lock.held ? 'released' : this.lock.state;
  }

  get assurance(): Assurance {
    return this.lock.assurance;
  }

  get backend(): LockStoreName {
    return this.lock.backend;
  }

  assertHeld(): void {
    this.lock.assertHeld();
    this.signal.throwIfAborted();
  }

  release(): Promise<boolean> {
    this.end();
    return this.lock.release();
  }

  async transaction<Db extends Transactional, Result>(
    db: Db,
    run: (tx: TransactionOf<Db>) => Promise<Result>,
  ): Promise<Result> {
    this.assertHeld();
    return this.lock.transaction(db, run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
