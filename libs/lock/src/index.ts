// Locks
export type { Assurance, Lock, LockState } from './lock.js';
export { lockKey, type LockKeyPart, type LockName } from './lock-key.js';
export type { AcquireOptions, LockOptions } from './lock.options.js';
export { LockModule } from './lock.module.js';
export { LockService } from './lock.service.js';
export { ReadWriteLock } from './read-write-lock.js';
export { Semaphore, type PermitOptions } from './semaphore.js';
export { WithLock, type LockKeyOf } from './with-lock.decorator.js';

// Fencing
export type {
  ClientPool,
  QueryClient,
  Transactional,
  TransactionOf,
  TransactionRunner,
} from './fencing/transactional.js';
export { ensureFenceSchema } from './fencing/fence-schema.js';
export { fenceSchemaSql } from './fencing/fence.sql.js';

// Duties
export { CronClock } from './duties/cron.schedule.js';
export type { CronFire, CronReason } from './duties/cron.fires.js';
export type { Election, ElectionOptions } from './duties/election.js';
export { LockedCron, type LockedCronOptions } from './duties/locked-cron.decorator.js';
export type { OnceOptions } from './duties/once.js';

// Stores
export {
  LockStore,
  RW_UNITS,
  type ClaimOutcome,
  type ExtendOutcome,
  type HolderReport,
  type LockClaim,
  type LockHold,
  type LockKind,
  type LockReport,
  type LockStoreName,
  type Released,
  type ReleaseOutcome,
} from './stores/lock.store.js';
export { lockKeys } from './stores/lock.keys.js';
export { MemoryLockStore, type MemoryLockStoreOptions } from './stores/memory-lock.store.js';
export { RedisLockStore, type RedisLockStoreParts } from './stores/redis-lock.store.js';
export { PostgresLockStore, type PostgresLockStoreOptions } from './fencing/postgres-lock.store.js';

// Errors
export {
  FenceUnsupportedError,
  IdempotencyMismatchError,
  InvalidLockKeyError,
  InvalidLockOptionsError,
  LimitMismatchError,
  LockBusyError,
  LockError,
  LockLostError,
  LockQuarantineError,
  LockReentryError,
  LockShutdownError,
  LockTooSlowError,
  LockUnavailableError,
  LockUpgradeError,
  StaleFenceError,
  TransactionAbortedError,
  UnstorableResultError,
  type LockLossReason,
} from './lock.errors.js';
