import type { ExecutionContext } from '@nestjs/common';

interface Request {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/**
 * The user that a sign-in claims to be: nobody is signed in yet, and each account is to be protected, whoever tries it.
 * Undefined when the body names none; the address counts then.
 */
export function claimedUser(context: ExecutionContext): string | undefined {
  const { body } = context.switchToHttp().getRequest<Request>();
  const { userId } = (body ?? {}) as { userId?: unknown };
  return typeof userId === 'string' ? userId.trim() || undefined : undefined;
}

/** The tier that an API key names. A real service looks its keys up; here the prefix says it all. */
export function tierOf(context: ExecutionContext): string | undefined {
  const key = context.switchToHttp().getRequest<Request>().headers['x-api-key'];
  return typeof key === 'string' ? /^(free|starter|pro|enterprise)-./.exec(key)?.[1] : undefined;
}
