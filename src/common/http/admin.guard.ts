import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { CONFIG, type Config } from '../config/index.js';
import { AdminClosedError, AdminTokenError } from '../errors/index.js';

/** Lets through who sends the configured `x-admin-token`. Without a configured token nobody passes. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'ROOST_ADMIN_TOKEN'>) {}

  canActivate(context: ExecutionContext): boolean {
    const token = this.config.ROOST_ADMIN_TOKEN;
    if (token === undefined) throw new AdminClosedError();
    const sent = context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>().headers['x-admin-token'];
    if (typeof sent !== 'string' || !equal(sent, token)) throw new AdminTokenError();
    return true;
  }
}

/** Compares digests: they have one length, so that the time taken tells neither length nor content. */
function equal(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
