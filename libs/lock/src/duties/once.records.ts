import { LockUnavailableError } from '../lock.errors.js';
import type { Lock } from '../lock.js';
import type { LockStoreName } from '../stores/lock.store.js';

/** What is known of something that was done. */
export interface OnceRecord {
  /** A digest of what the caller said the request was; empty when nothing was said. */
  readonly fingerprint: string;
  /** The result as JSON; empty for undefined. */
  readonly result: string;
}

/** `absent`: nobody holds the lock, as after a restart of the store; `foreign`: somebody else does, or did meanwhile. */
export type StoreOutcome = 'stored' | 'absent' | 'foreign';

/** Keeps results beside the locks that they were made under. Rejects with `LockUnavailableError` when it cannot. */
export abstract class OnceRecords {
  /** Whose locks its records are checked against. */
  abstract readonly backend: LockStoreName;
  /** Needs no lock. */
  abstract find(id: string): Promise<OnceRecord | undefined>;
  /** In one step with the check that the lock is still held under this token. May be repeated. */
  abstract store(lock: Lock, id: string, record: OnceRecord, keepMs: number): Promise<StoreOutcome>;
}

/** Where there is neither a Redis nor a single process to keep results in: says so. */
export class NoOnceRecords extends OnceRecords {
  readonly backend = 'postgres';

  find(): Promise<never> {
    return Promise.reject(
      new LockUnavailableError(new Error('`once` keeps results in Redis, and none is configured'), false),
    );
  }

  store(): Promise<never> {
    return this.find();
  }
}
