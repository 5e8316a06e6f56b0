import { RoostError } from '@roost/redis';

/** Thrown when the database cannot serve now; what was asked for was not done, or its end is unknown. HTTP 503 with `Retry-After`. */
export class DatabaseUnavailableError extends RoostError {
  static override readonly code: string = 'database.unavailable';
  override readonly httpStatus: number = 503;
  override readonly retryAfterMs: number = 1_000;

  constructor(
    /** One word for operators, such as an SQLSTATE. */
    readonly reason: string,
    /** Whether everybody is concerned, and not only who asked now. */
    readonly lost: boolean,
    options?: { cause?: unknown },
  ) {
    super(`The database cannot serve now: ${reason}.`, options);
  }
}

/** Thrown at boot when the database can be reached and cannot be used: a wrong password, a missing right, a broken folder. */
export class DatabaseSetupError extends RoostError {
  static override readonly code: string = 'database.setup';

  constructor(problem: string, options?: { cause?: unknown }) {
    super(`The database cannot be set up: ${problem}`, options);
  }
}
