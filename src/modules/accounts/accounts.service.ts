import { Inject, Injectable } from '@nestjs/common';
import { OneTimeCodes, Sessions, type Session } from '@roost/session';
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

  /** @throws CodeRejectedError */
  async signIn({ userId, code }: SessionRequest): Promise<Session> {
    const { accepted } = await this.codes.verify(userId, code);
    if (!accepted) throw new CodeRejectedError();
    return this.sessions.start({ user: userId });
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
