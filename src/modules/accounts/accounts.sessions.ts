import { parseCookieHeader } from '@nestjs/core/helpers/cookies/parse-cookie-header.js';
import type { SessionOptions } from '@roost/session';
import { createHash } from 'node:crypto';
import type { Config } from '../../common/config/index.js';

/** What the cookie is called that holds a session. */
export const COOKIE = 'sid';

/** The id of the session in the headers of a request that no route has, that of a socket: as `@Cookies` reads it. */
export function sessionIdIn({ cookie }: { readonly cookie?: string | string[] | undefined }): string | undefined {
  return parseCookieHeader(cookie)[COOKIE];
}

/** How this service keeps sessions and codes. */
export function sessionOptions(config: Config): SessionOptions {
  const pepper = config.SESSION_PEPPER ?? pepperOf(config);
  return {
    // Without any secret the boot would fail in production, but the service is to start with nothing: see pepperWarning.
    production: config.NODE_ENV === 'production' && pepper !== undefined,
    pepper,
    // How often a user may ask is the business of the policy `login`.
    codes: { cooldown: 0, sends: 60 },
  };
}

/** What operators should hear of how codes are hashed; undefined when all is well. */
export function pepperWarning(config: Config): string | undefined {
  const { NODE_ENV, REDIS_URL, SESSION_PEPPER } = config;
  if (NODE_ENV !== 'production' || REDIS_URL === undefined || SESSION_PEPPER !== undefined) return undefined;
  return pepperOf(config) === undefined
    ? 'Nothing secret hashes one-time codes: whoever reads Redis can sign in as anybody. Set SESSION_PEPPER.'
    : 'One-time codes are hashed with the passwords of other settings, and void when one is changed. Set SESSION_PEPPER.';
}

/**
 * The passwords that all instances have and Redis does not hold: not the addresses, which may differ among them. Undefined
 * when there is none.
 */
function pepperOf({ DATABASE_URL, REDIS_URL, ROOST_ADMIN_TOKEN }: Config): string | undefined {
  const passwords = [DATABASE_URL, REDIS_URL].map((url) => (url && URL.canParse(url) ? new URL(url).password : ''));
  const secrets = [...passwords, ROOST_ADMIN_TOKEN ?? ''];
  if (secrets.every((each) => each === '')) return undefined;
  return createHash('sha256')
    .update(`one-time codes\n${JSON.stringify(secrets)}`)
    .digest('base64url');
}
