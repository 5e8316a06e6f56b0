import { HttpException } from '@nestjs/common';
import { RoostError, show } from '@roost/redis';
import { STATUS_CODES } from 'node:http';

/** What went wrong, with the status that a request should get; its response is an RFC 9457 problem. */
export abstract class SessionError extends HttpException {
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

/** Thrown when Redis is lost and nothing else may decide. HTTP 503 with `Retry-After`. */
export class SessionUnavailableError extends SessionError {
  static override readonly code: string = 'session.unavailable';

  constructor(
    what: string,
    /** Whether it may still have been done, or be done later. */
    readonly outcomeUnknown: boolean,
    cause?: unknown,
  ) {
    super(503, `Redis is not there to ${what}. Nothing stands in for it.`, { retryAfterMs: 1_000, cause });
  }
}

/** Thrown when a session is written that ended while the request ran: it is not brought back. HTTP 401. */
export class SessionGoneError extends SessionError {
  static override readonly code: string = 'session.gone';

  constructor() {
    super(401, 'The session has ended. Sign in again.');
  }
}

/** Thrown when what a session, a flag or a token should hold is more than may be stored. HTTP 413. */
export class SessionTooLargeError extends SessionError {
  static override readonly code: string = 'session.too-large';

  constructor(what: string, bytes: number, maxBytes: number) {
    super(413, `${what} would take ${bytes} bytes of at most ${maxBytes}. Keep large data elsewhere, and its id here.`);
  }
}

/** Thrown when a code was sent so recently that no other one is. HTTP 429 with `Retry-After`. */
export class CodeCooldownError extends SessionError {
  static override readonly code: string = 'session.code-cooldown';

  constructor(retryAfterMs: number) {
    super(429, `A code was sent just now. Ask for another one in ${Math.ceil(retryAfterMs / 1_000)} s.`, {
      retryAfterMs,
    });
  }
}

/** Thrown when too many codes were sent, or guessed at, within the window. HTTP 429 with `Retry-After`. */
export class CodeLockedError extends SessionError {
  static override readonly code: string = 'session.code-locked';

  constructor(retryAfterMs: number) {
    super(429, `Too many codes or guesses. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`, { retryAfterMs });
  }
}

/** Thrown when a value is no JSON, and so could not be read back as it was. */
export class UnstorableValueError extends RoostError {
  static override readonly code: string = 'session.unstorable';

  constructor(what: string, cause?: unknown) {
    super(`${what} is no JSON: store text, numbers, booleans, null, lists and plain objects.`, { cause });
  }
}

/** Thrown when a session is given a user, or another one, and keeps its id: who planted the id would be signed in, too. */
export class SessionNotRotatedError extends RoostError {
  static override readonly code: string = 'session.not-rotated';

  constructor() {
    super('The session got another user under its old id. Call `regenerate()` before the user is set.');
  }
}

/** Thrown when codes are used although the module was told `pepper: false`. */
export class CodesDisabledError extends RoostError {
  static override readonly code: string = 'session.codes-disabled';

  constructor() {
    super('One-time codes are off. Give `SessionModule` a `pepper`: a secret text that all processes share.');
  }
}

/** Thrown when a call is wrong in itself: a name, a lifetime or a percentage that cannot be. */
export class InvalidSessionCallError extends RoostError {
  static override readonly code: string = 'session.invalid-call';

  constructor(problem: string, value: unknown) {
    super(`${problem}, got ${show(value)}.`);
  }
}
