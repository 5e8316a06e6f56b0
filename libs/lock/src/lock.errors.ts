import { HttpException } from '@nestjs/common';
import { RoostError, show } from '@roost/redis';
import { STATUS_CODES } from 'node:http';

/** What went wrong about a lock, with the status that a request should get; its response is an RFC 9457 problem. */
export abstract class LockError extends HttpException {
  static readonly code: string;
  readonly code: string;
  readonly httpStatus: number;
  /** When trying again makes sense, in ms: becomes `Retry-After`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    message: string,
    { retryAfterMs, cause }: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    const code = new.target.code;
    const title = STATUS_CODES[status]!;
    // A 5xx tells the client only when to return; which store failed, and how, is for operators.
    const detail = status < 500 ? message : 'The service cannot do this just now. Try again later.';
    super({ type: `urn:roost:error:${code}`, title, status, detail, errorCode: code }, status, { cause });
    this.name = new.target.name;
    this.message = message;
    this.code = code;
    this.httpStatus = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Thrown when somebody else holds the lock, and went on holding it for as long as was to be waited. HTTP 409. */
export class LockBusyError extends LockError {
  static override readonly code: string = 'lock.busy';

  constructor(readonly keys: readonly string[]) {
    super(409, `Somebody else holds the lock ${named(keys)}.`);
  }
}

/** Null for a lock that is busy; any other error goes on. */
export function nullWhenBusy(error: unknown): null {
  if (error instanceof LockBusyError) return null;
  throw error;
}

/** Thrown when no store can say who holds the lock; nothing is run without it. HTTP 503 with `Retry-After`. */
export class LockUnavailableError extends LockError {
  static override readonly code: string = 'lock.unavailable';
  /** The call may have been granted, or be granted later: it has to be taken back. */
  readonly outcomeUnknown: boolean;

  constructor(cause: unknown, outcomeUnknown = true) {
    super(503, `No store can decide about locks now: ${cause instanceof Error ? cause.message : show(cause)}`, {
      cause,
      retryAfterMs: 1_000,
    });
    this.outcomeUnknown = outcomeUnknown;
  }
}

/**
 * Thrown while a Redis that lost its memory grants nothing new, so that those who hold a lock can reclaim it. HTTP 503
 * with `Retry-After`.
 */
export class LockQuarantineError extends LockError {
  static override readonly code: string = 'lock.quarantine';

  constructor(retryAfterMs: number) {
    super(503, `Redis may have forgotten who holds which lock: nothing new is granted for ${retryAfterMs} ms.`, {
      retryAfterMs,
    });
  }
}

/** Thrown when the grant came so late that its time was over. It was given back. HTTP 503 with `Retry-After`. */
export class LockTooSlowError extends LockError {
  static override readonly code: string = 'lock.too-slow';

  constructor(keys: readonly string[], elapsedMs: number, ttlMs: number) {
    super(
      503,
      `The lock ${named(keys)} was granted after ${Math.round(elapsedMs)} ms, too late for a ttl of ${ttlMs} ms.`,
      {
        retryAfterMs: 1_000,
      },
    );
  }
}

/**
 * Why a lock is not held any more. `LOST`: the store said so; `DEADLINE`: its time ran out without a renewal; `SHUTDOWN`:
 * the application did not wait for its section any longer.
 */
export type LockLossReason = 'LOST' | 'DEADLINE' | 'RELEASED' | 'SHUTDOWN';

/** Thrown when a lock is not held any more; what was done under it may have met somebody else's work. HTTP 503. */
export class LockLostError extends LockError {
  static override readonly code: string = 'lock.lost';

  constructor(
    readonly keys: readonly string[],
    readonly reason: LockLossReason,
    cause?: unknown,
  ) {
    const why = {
      LOST: 'the store says that it is not held any more',
      DEADLINE: 'it could not be renewed in time',
      RELEASED: 'it was released',
      SHUTDOWN: 'this process is shutting down',
    }[reason];
    super(503, `The lock ${named(keys)} is lost: ${why}.`, { retryAfterMs: 1_000, cause });
  }
}

/** Thrown when a write comes from a holder whose lock somebody else has held since. Nothing was written. HTTP 409. */
export class StaleFenceError extends LockError {
  static override readonly code: string = 'lock.stale-fence';

  constructor(
    readonly resource: string,
    readonly token: bigint,
    /** The newest token that the database has seen. */
    readonly newest: bigint,
    cause?: unknown,
  ) {
    super(409, `A later holder of ${show(resource)} was here before: token ${token} is older than ${newest}.`, {
      cause,
    });
  }
}

/** Thrown when the application is shutting down: nobody waits for a lock any more. HTTP 503 with `Retry-After`. */
export class LockShutdownError extends LockError {
  static override readonly code: string = 'lock.shutdown';

  constructor() {
    super(503, 'This process is shutting down and does not wait for locks any more.', { retryAfterMs: 1_000 });
  }
}

/** Thrown at once, without asking any store, when a lock is asked for inside the section that holds it. */
export class LockReentryError extends RoostError {
  static override readonly code: string = 'lock.reentry';

  constructor(keys: readonly string[]) {
    super(
      `The lock ${named(keys)} is held by the section that asks for it, which would wait for itself. ` +
        'Hand the lock on, or set `reentrant: true`.',
    );
  }
}

/** Thrown at once when a reader asks for the writer's lock: two readers who did so would wait for each other. */
export class LockUpgradeError extends RoostError {
  static override readonly code: string = 'lock.upgrade';

  constructor(key: string) {
    super(`A reader of ${show(key)} asks to write. Release the read lock first, or begin with \`write\`.`);
  }
}

/** Thrown when a semaphore is in use with another number of permits. */
export class LimitMismatchError extends RoostError {
  static override readonly code: string = 'lock.limit-mismatch';

  constructor(
    readonly key: string,
    readonly asked: number,
    readonly inUse: number,
  ) {
    super(`Semaphore ${show(key)} is in use with ${inUse} permits; this process says ${asked}.`);
  }
}

/** Thrown when a key is empty, or made of parts that are. */
export class InvalidLockKeyError extends RoostError {
  static override readonly code: string = 'lock.invalid-key';

  constructor(problem: string) {
    super(`${problem}.`);
  }
}

/** Thrown when the options of one call are wrong; names every problem at once. */
export class InvalidLockOptionsError extends RoostError {
  static override readonly code: string = 'lock.invalid-options';

  constructor(readonly problems: readonly string[]) {
    super(`The lock cannot be asked for: ${problems.join('; ')}.`);
  }
}

/** Thrown when a transaction is to be fenced by a lock that others may hold at the same time, or in an unknown database. */
export class FenceUnsupportedError extends RoostError {
  static override readonly code: string = 'lock.fence-unsupported';

  constructor(problem: string) {
    super(`${problem}.`);
  }
}

/** Thrown when a fenced transaction cannot commit although its body resolved. Nothing of it was written under the fence. */
export class TransactionAbortedError extends RoostError {
  static override readonly code: string = 'lock.transaction-aborted';

  constructor(why: string) {
    super(`The fenced transaction was not committed: ${why}.`);
  }
}

/** Thrown when the same idempotency key is used for another request. HTTP 422. */
export class IdempotencyMismatchError extends LockError {
  static override readonly code: string = 'lock.idempotency-mismatch';

  constructor(readonly key: string) {
    super(422, `Key ${show(key)} was used for another request.`);
  }
}

/** Thrown when the result of what is to be done once is no JSON, or too large to be kept. It was done. */
export class UnstorableResultError extends RoostError {
  static override readonly code: string = 'lock.unstorable-result';

  constructor(problem: string) {
    super(`The result cannot be kept for later calls: ${problem}. Return JSON, and of large results a reference.`);
  }
}

function named(keys: readonly string[]): string {
  return keys
    .map(show)
    .map((text) => text.replace(/ \(string\)$/, ''))
    .join(', ');
}
