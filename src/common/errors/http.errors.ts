import { RoostError } from '@roost/redis';

/** One thing that is wrong with a request: where, and what. */
export interface RequestIssue {
  /** The path of the field, `''` for the whole. */
  readonly path: string;
  readonly message: string;
}

/** Thrown when a body or a query does not fit its schema; lists all issues. HTTP 422. */
export class InvalidRequestError extends RoostError {
  static override readonly code: string = 'request.invalid';
  override readonly httpStatus: number = 422;

  constructor(readonly issues: readonly RequestIssue[]) {
    super('The request does not fit its schema; `issues` lists what is wrong.');
  }
}

/** Thrown when /admin/* is asked for and no ROOST_ADMIN_TOKEN is configured. HTTP 403. */
export class AdminClosedError extends RoostError {
  static override readonly code: string = 'admin.closed';
  override readonly httpStatus: number = 403;

  constructor() {
    super('The admin routes are closed: the service runs without an admin token.');
  }
}

/** Thrown when /admin/* is asked for without the right x-admin-token. HTTP 401. */
export class AdminTokenError extends RoostError {
  static override readonly code: string = 'admin.token';
  override readonly httpStatus: number = 401;

  constructor() {
    super('The x-admin-token header is missing or wrong.');
  }
}
