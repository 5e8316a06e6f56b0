import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../common/config/index.js';
import { CodeRejectedError, NotSignedInError } from './accounts.errors.js';
import type { Account, CodeIssued, CodeRequest, SessionRequest } from './accounts.schemas.js';
import { Codes } from './codes.js';
import { Sessions } from './sessions.js';

/** Signing in with a one-time code, and knowing who is signed in. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly codes: Codes,
    private readonly sessions: Sessions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'NODE_ENV'>,
  ) {}

  requestCode({ userId }: CodeRequest): CodeIssued {
    const code = this.codes.issue(userId);
    return this.config.NODE_ENV === 'production' ? {} : { code };
  }

  /**
   * Returns the id of the new session, for the cookie.
   * @throws CodeRejectedError
   */
  signIn({ userId, code }: SessionRequest): string {
    if (!this.codes.verify(userId, code)) throw new CodeRejectedError();
    return this.sessions.start(userId);
  }

  /** @throws NotSignedInError */
  whoIs(sessionId: string | undefined): Account {
    const userId = this.sessions.userOf(sessionId);
    if (userId === undefined) throw new NotSignedInError();
    return { userId };
  }

  signOut(sessionId: string | undefined): void {
    this.sessions.end(sessionId);
  }
}
