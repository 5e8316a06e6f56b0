import { RoostError } from '@roost/redis';

/** Thrown when a code is wrong, used, expired or was guessed at too often; which of them is nobody's business. HTTP 401. */
export class CodeRejectedError extends RoostError {
  static override readonly code: string = 'accounts.code-rejected';
  override readonly httpStatus: number = 401;

  constructor() {
    super('The code is wrong or no longer valid. Ask for a new one with POST /accounts/codes.');
  }
}

/** Thrown when a route needs a session and the request has none that is alive. HTTP 401. */
export class NotSignedInError extends RoostError {
  static override readonly code: string = 'accounts.not-signed-in';
  override readonly httpStatus: number = 401;

  constructor() {
    super('There is no valid session. Sign in with POST /accounts/sessions.');
  }
}
