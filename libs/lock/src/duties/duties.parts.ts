import type { LoggerService } from '@nestjs/common';
import type { Lock } from '../lock.js';
import type { LockName } from '../lock-key.js';
import type { AcquireOptions } from '../lock.options.js';
import type { OnceRecords } from './once.records.js';

/** What duties ask of `LockService`, which offers them in turn. */
export interface DutyLocks {
  acquire(key: LockName, options: AcquireOptions): Promise<Lock>;
  using<Result>(key: LockName, options: AcquireOptions, run: (lock: Lock) => Promise<Result>): Promise<Result>;
}

/** What elections and `once` need beside locks. */
export interface DutiesParts {
  /** Where results of `once` are kept. */
  readonly records: OnceRecords;
  readonly logger: Pick<LoggerService, 'error' | 'warn'>;
}
