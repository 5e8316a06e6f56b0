import { Body, Controller, Cookies, Delete, Get, Header, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOkResponse, ApiSecurity } from '@nestjs/swagger';
import { RateLimit } from '@roost/throttle';
import { CONFIG, type Config } from '../../common/config/index.js';
import { ApiProblems } from '../../common/http/index.js';
import { account, codeIssued, codeRequest, sessionRequest } from './accounts.schemas.js';
import type { Account, CodeIssued, CodeRequest, SessionRequest } from './accounts.schemas.js';
import { AccountsService } from './accounts.service.js';
import { COOKIE } from './accounts.sessions.js';

/** Signing in. Both steps share the policy `login`: who guesses codes may not ask for more of them in between. */
@Controller('accounts')
export class AccountsController {
  constructor(
    private readonly accounts: AccountsService,
    private readonly http: HttpAdapterHost,
    @Inject(CONFIG) private readonly config: Pick<Config, 'NODE_ENV'>,
  ) {}

  @Post('codes')
  @HttpCode(202)
  @RateLimit('login')
  @ApiAcceptedResponse({ standardSchema: codeIssued, description: 'A code is on its way' })
  @ApiProblems(422, 429, 503)
  requestCode(@Body({ schema: codeRequest }) request: CodeRequest): Promise<CodeIssued> {
    return this.accounts.requestCode(request);
  }

  @Post('sessions')
  @HttpCode(200)
  @RateLimit('login')
  @ApiOkResponse({ standardSchema: account, description: 'Signed in: the cookie `sid` holds the session' })
  @ApiProblems(401, 422, 429, 503)
  async signIn(
    @Body({ schema: sessionRequest }) request: SessionRequest,
    @Res({ passthrough: true }) response: object,
    @Cookies(COOKIE) formerId?: string,
  ): Promise<Account> {
    const { id, leftMs } = await this.accounts.signIn(request, formerId);
    const maxAge = Math.floor(leftMs / 1_000);
    this.http.httpAdapter.setCookie(response, COOKIE, id, { ...this.#cookie, maxAge });
    return { userId: request.userId };
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @ApiSecurity('session')
  @ApiOkResponse({ standardSchema: account, description: 'Who is signed in' })
  @ApiProblems(401)
  me(@Cookies(COOKIE) sessionId?: string): Promise<Account> {
    return this.accounts.whoIs(sessionId);
  }

  @Delete('sessions')
  @HttpCode(204)
  @ApiSecurity('session')
  @ApiNoContentResponse({ description: 'Signed out, or was not signed in' })
  @ApiProblems(503)
  async signOut(@Res({ passthrough: true }) response: object, @Cookies(COOKIE) sessionId?: string): Promise<void> {
    this.http.httpAdapter.clearCookie(response, COOKIE, this.#cookie); // also when Redis is told only later
    await this.accounts.signOut(sessionId);
  }

  get #cookie() {
    return { path: '/', httpOnly: true, sameSite: 'lax', secure: this.config.NODE_ENV === 'production' } as const;
  }
}
