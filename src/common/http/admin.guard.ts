import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { CONFIG, type Config } from '../config/index.js';
import { AdminClosedError, AdminTokenError } from '../errors/index.js';

type AdminConfig = Pick<Config, 'ROOST_ADMIN_TOKEN'>;

/** Lets through who sends the configured `x-admin-token`. Without a configured token nobody passes. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: AdminConfig) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>();
    assertAdmin(headers['x-admin-token'], this.config);
    return true;
  }
}

/** @throws AdminClosedError without a configured token, AdminTokenError for another one. */
export function assertAdmin(sent: unknown, { ROOST_ADMIN_TOKEN: token }: AdminConfig): void {
  if (token === undefined) throw new AdminClosedError();
  if (typeof sent !== 'string' || !equal(sent, token)) throw new AdminTokenError();
}

/** Compares digests: they have one length, so that the time taken tells neither length nor content. */
function equal(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
