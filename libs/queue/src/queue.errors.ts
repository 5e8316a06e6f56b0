import { RoostError, show } from '@roost/redis';

/** Thrown when a job could not be added in time. HTTP 503 with `Retry-After`. */
export class QueueUnavailableError extends RoostError {
  static override readonly code: string = 'queue.unavailable';
  override readonly httpStatus: number = 503;
  override readonly retryAfterMs: number = 1_000;

  constructor(
    readonly queue: string,
    reason: string,
    /** The job may have been added, or be added later: repeat the call with the same `id`. */
    readonly outcomeUnknown: boolean,
    options?: { cause?: unknown },
  ) {
    super(`Queue ${show(queue)} cannot be reached: ${reason}.`, options);
  }
}

/** Thrown when the application is shutting down and has closed its queues. HTTP 503 with `Retry-After`. */
export class QueueClosedError extends RoostError {
  static override readonly code: string = 'queue.closed';
  override readonly httpStatus: number = 503;
  override readonly retryAfterMs: number = 1_000;

  constructor(queue: string) {
    super(`Queue ${show(queue)} is closed: this process is shutting down.`);
  }
}

/** Thrown at boot when it is not said where jobs are kept, in production. */
export class QueueDriverMissingError extends RoostError {
  static override readonly code: string = 'queue.driver-missing';

  constructor() {
    super(
      'Nothing says where jobs are kept. Set REDIS_URL or DATABASE_URL, or `backend` of QueueModule; in production jobs ' +
        'are never kept in memory unless it says `memory`.',
    );
  }
}

/** Thrown at boot when the store of jobs can be reached and must not or cannot be used. */
export class QueueSetupError extends RoostError {
  static override readonly code: string = 'queue.setup';

  constructor(problem: string, options?: { cause?: unknown }) {
    super(`Jobs cannot be kept here: ${problem}`, options);
  }
}

/** Thrown at boot when the clock of this process and that of Postgres differ so much that jobs would run twice. */
export class ClockSkewError extends RoostError {
  static override readonly code: string = 'queue.clock-skew';

  constructor(
    /** By how much this process is ahead of the database, in ms. */
    readonly skewMs: number,
    readonly allowedMs: number,
  ) {
    super(
      `The clock of this process is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} that of Postgres, and ` +
        `${allowedMs} ms are allowed: locks on jobs would seem to have run out. Synchronise the clocks (NTP).`,
    );
  }
}

/** Thrown at boot when another process has the folder of the embedded store. */
export class EmbeddedStoreLockedError extends RoostError {
  static override readonly code: string = 'queue.embedded-locked';

  constructor(folder: string, owner: string) {
    super(
      `Process ${owner} has the embedded store in ${folder}, which serves one process alone. Use Redis or a Postgres ` +
        'server to share jobs, or another folder.',
    );
  }
}

/** Thrown where a job is added with an option that does not exist. HTTP 500: a mistake in the program. */
export class UnknownJobOptionError extends RoostError {
  static override readonly code: string = 'queue.unknown-option';

  constructor(
    readonly option: string,
    hint: string,
  ) {
    super(`There is no job option \`${option}\`. ${hint}`);
  }
}

/** Thrown where a job is added, or a schedule declared, with values that cannot be meant; names every problem at once. */
export class InvalidJobError extends RoostError {
  static override readonly code: string = 'queue.invalid-job';

  constructor(
    readonly problems: readonly string[],
    options?: { cause?: unknown },
  ) {
    super(`The job cannot be added: ${problems.join('; ')}.`, options);
  }
}

/** Thrown where a job is added whose data does not survive JSON unchanged; what a job fails with whose result cannot be kept. */
export class NonSerializableError extends RoostError {
  static override readonly code: string = 'queue.non-serializable';

  constructor(
    /** Where in the data, such as `data.items[2].price`. */
    readonly path: string,
    what: string,
  ) {
    super(`${path} is ${what}, which JSON does not keep. Send plain objects, arrays, strings, numbers and booleans.`);
  }
}

/** Thrown where a job is added whose data is larger than the queue allows. */
export class JobTooLargeError extends RoostError {
  static override readonly code: string = 'queue.too-large';

  constructor(
    readonly bytes: number,
    readonly limit: number,
  ) {
    super(
      `The data has ${bytes} bytes and ${limit} are allowed. Store it elsewhere and send a reference, or raise \`maxDataBytes\`.`,
    );
  }
}

/** What a job fails with when nobody handles jobs of its name; it is not tried again. */
export class NoHandlerError extends RoostError {
  static override readonly code: string = 'queue.no-handler';

  constructor(queue: string, name: string) {
    super(`No method handles ${show(name)} of queue ${show(queue)}. Decorate one with @JobHandler('${name}').`);
  }
}

/** What a job fails with when it took longer than its `timeout`; its signal was aborted with this. */
export class JobTimeoutError extends RoostError {
  static override readonly code: string = 'queue.timeout';

  constructor(readonly timeoutMs: number) {
    super(`timeout: the job did not end within ${timeoutMs} ms`);
  }
}

/** What a job fails with that was not started before its `expiresAt`; it is not tried again, and no handler saw it. */
export class JobExpiredError extends RoostError {
  static override readonly code: string = 'queue.expired';

  constructor(expiresAt: number) {
    super(`expired: it was to start before ${new Date(expiresAt).toISOString()}`);
  }
}

/** What the signal of a job is aborted with when the process shuts down and gives the job back. */
export class JobHandedBackError extends RoostError {
  static override readonly code: string = 'queue.handed-back';

  constructor() {
    super('This process is shutting down: another one starts the job again.');
  }
}

/** What the signal of a job is aborted with when its lock was lost: another process may run it by now. */
export class JobLockLostError extends RoostError {
  static override readonly code: string = 'queue.lock-lost';

  constructor() {
    super('The lock on the job could not be renewed: another process may run it by now.');
  }
}

/** Thrown when a transaction is to add a job and this is not one of a database that the queue knows. */
export class OutboxUnsupportedError extends RoostError {
  static override readonly code: string = 'queue.outbox-unsupported';

  constructor(problem: string) {
    super(`${problem}.`);
  }
}

/** Thrown at boot when two places would handle the same jobs, each of them some at random. */
export class ConflictingHandlersError extends RoostError {
  static override readonly code: string = 'queue.conflicting-handlers';

  constructor(queue: string, places: readonly string[], advice = 'Keep one.') {
    super(`Jobs of queue ${show(queue)} would go to either of ${places.join(' and ')}, at random. ${advice}`);
  }
}

/** Thrown when the store answered that it does not take a job: a mistake, and no outage. */
export class RefusedByStoreError extends RoostError {
  static override readonly code: string = 'queue.refused';

  constructor(queue: string, reason: string, options?: { cause?: unknown }) {
    super(`The store of queue ${show(queue)} refuses the job: ${reason}.`, options);
  }
}

/** Thrown at boot when a class handles jobs of a queue that is not registered. */
export class UnregisteredQueueError extends RoostError {
  static override readonly code: string = 'queue.unregistered';

  constructor(queue: string) {
    super(`Nobody has registered queue ${show(queue)}. Import QueueModule.registerQueue('${queue}').`);
  }
}

/** Thrown where a message is added to a stream that cannot be one; names every problem at once. */
export class InvalidStreamMessageError extends RoostError {
  static override readonly code: string = 'queue.invalid-message';

  constructor(readonly problems: readonly string[]) {
    super(`The message cannot be added: ${problems.join('; ')}.`);
  }
}

/** What the signal of a stream's message is aborted with when another process has taken the message over. */
export class StreamMessageTakenError extends RoostError {
  static override readonly code: string = 'queue.message-taken';

  constructor(id: string) {
    super(
      `Another process has taken message ${id} over: this one gave no sign of life for longer than \`minIdle\`. ` +
        'Do not block the event loop for so long, or raise it.',
    );
  }
}
