// Module
export { QueueModule, type QueueAsyncOptions } from './queue.module.js';
export type { KeyLimitOptions, QueueBackend, QueueModuleOptions, QueueOptions, RateOptions } from './queue.options.js';
export type { QueueDatabase } from './database/queue-database.js';
export { FolderLock } from './database/folder-lock.js';
export { postgresFault, type PostgresFault } from './database/outage.js';
export type { QueueStoreName } from './stores/queue.store.js';
export { getJobsToken, InjectJobs } from './queue.tokens.js';

export { Queues, type QueueEntry } from './queues.js';

// Adding jobs
export { JobQueue, type AddedJob, type NewJob } from './jobs/job-queue.js';
export { JOB_DEFAULTS, type BackoffOptions, type DeduplicationOptions, type JobOptions } from './jobs/job.options.js';
export type { JobState, JobStatus } from './jobs/job-status.js';
export type { DeadLetter, DeadLetters } from './jobs/dead-letters.js';
export type { StandardSchema } from './jobs/standard-schema.js';
export type { Schedule, Timing } from './schedules/timing.js';
export { Outbox } from './outbox/outbox.js';
export { outboxSchemaSql } from './outbox/outbox.sql.js';

// Running jobs
export { JobHandler, JobSchedule, JobWorker } from './workers/job-handler.decorator.js';
export { CurrentJob, JobData, JobId, jobOf, JobSignal, jobSignalOf } from './workers/job-params.js';

// Streams
export { StreamConsumer } from './streams/stream-consumer.decorator.js';
export type { StreamConsumerOptions } from './streams/stream-consumer.options.js';
export type { StreamMessage } from './streams/stream-message.js';
export { JobStreams, type StreamAddOptions, type StreamFields } from './streams/stream-producer.js';

// Keys
export { limitKeys as queueKeys } from './limits/limit.keys.js';

// Errors
export {
  ClockSkewError,
  ConflictingHandlersError,
  EmbeddedStoreLockedError,
  InvalidJobError,
  InvalidStreamMessageError,
  JobExpiredError,
  JobHandedBackError,
  JobLockLostError,
  JobTimeoutError,
  JobTooLargeError,
  NoHandlerError,
  NonSerializableError,
  OutboxUnsupportedError,
  QueueClosedError,
  QueueDriverMissingError,
  QueueSetupError,
  QueueUnavailableError,
  RefusedByStoreError,
  StreamMessageTakenError,
  UnknownJobOptionError,
  UnregisteredQueueError,
} from './queue.errors.js';
