import { Inject, Injectable } from '@nestjs/common';
import { OneTimeCodes, Sessions, SessionUnavailableError, type Session } from '@roost/session';
import { CONFIG, type Config } from '../../common/config/index.js';
import { CodeRejectedError, NotSignedInError } from './accounts.errors.js';
import type { Account, CodeIssued, CodeRequest, SessionRequest } from './accounts.schemas.js';

/** Signing in with a one-time code, and knowing who is signed in. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly codes: OneTimeCodes,
    private readonly sessions: Sessions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'NODE_ENV'>,
  ) {}

  async requestCode({ userId }: CodeRequest): Promise<CodeIssued> {
    const { code } = await this.codes.issue(userId);
    return this.config.NODE_ENV === 'production' ? {} : { code };
  }

  /**
   * Begins a session; the one that this browser had before ends.
   * @throws CodeRejectedError
   */
  async signIn({ userId, code }: SessionRequest, formerId: string | undefined): Promise<Session> {
    const { accepted } = await this.codes.verify(userId, code);
    if (!accepted) throw new CodeRejectedError();
    const session = await this.sessions.start({ user: userId });
    await this.sessions.end(formerId).catch((error: unknown) => {
      if (!(error instanceof SessionUnavailableError)) throw error; // else Redis is told later
    });
    return session;
  }

  /** @throws NotSignedInError */
  async whoIs(sessionId: string | undefined): Promise<Account> {
    const userId = (await this.sessions.read(sessionId))?.user;
    if (userId === undefined) throw new NotSignedInError();
    return { userId };
  }

  async signOut(sessionId: string | undefined): Promise<void> {
    await this.sessions.end(sessionId);
  }
}
