import type { SessionOptions } from '@roost/session';
import { createHash } from 'node:crypto';
import type { Config } from '../../common/config/index.js';

/** What the cookie is called that holds a session. */
export const COOKIE = 'sid';

/** The id of the session in the headers of a request that no route has: that of a socket. */
export function sessionIdIn({ cookie = '' }: { readonly cookie?: string | string[] | undefined }): string | undefined {
  const pairs = String(cookie).split(';');
  return pairs
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);
}

/** How this service keeps sessions and codes. */
export function sessionOptions(config: Config): SessionOptions {
  return {
    production: config.NODE_ENV === 'production',
    pepper: config.SESSION_PEPPER ?? pepperOf(config),
    // How often a user may ask is the business of the policy `login`.
    codes: { cooldown: 0, sends: 60 },
  };
}

/**
 * What all instances know anyway and Redis does not hold. When a password is changed the codes under way are void, which is
 * five minutes' worth of them.
 */
function pepperOf({ DATABASE_URL, REDIS_URL, ROOST_ADMIN_TOKEN }: Config): string | undefined {
  if (REDIS_URL === undefined) return undefined; // codes do not leave the process
  const known = JSON.stringify([DATABASE_URL, REDIS_URL, ROOST_ADMIN_TOKEN]);
  return createHash('sha256').update(`one-time codes\n${known}`).digest('base64url');
}
