import type { SessionData } from '../sessions/session.fields.js';

/** A cookie as both middlewares hand it over, alive or as JSON. */
interface CookieLike {
  readonly originalMaxAge?: number | null;
  readonly expires?: Date | string | null;
  toJSON?(): object;
}

/**
 * How long the session lives without a request: by its cookie, else `otherwiseMs`; 0 when the cookie has ended. A cookie
 * with a lifetime begins anew with each request, and counts whole: what it has left is never the same twice.
 */
export function idleMsOf(session: object, otherwiseMs: number): number {
  const { cookie } = session as { cookie?: CookieLike };
  const leftMs = cookie?.expires ? new Date(cookie.expires).getTime() - Date.now() : NaN;
  if (leftMs <= 0) return 0;
  const { originalMaxAge } = cookie ?? {};
  if (typeof originalMaxAge === 'number' && originalMaxAge > 0) return steady(originalMaxAge);
  return Number.isNaN(leftMs) ? otherwiseMs : Math.ceil(leftMs);
}

/**
 * What is stored of a session: moments that a cookie's lifetime gives again are left out, so that a session in which nothing
 * changed looks unchanged.
 */
export function withoutMoments(session: object): SessionData {
  const { cookie } = session as { cookie?: CookieLike };
  const plain = { ...(typeof cookie?.toJSON === 'function' ? cookie.toJSON() : cookie) } as SessionData;
  if (typeof plain['originalMaxAge'] === 'number') {
    delete plain['expires'];
    delete plain['_expires'];
    delete plain['originalExpires'];
    plain['originalMaxAge'] = steady(plain['originalMaxAge']);
  }
  return { ...session, cookie: plain };
}

/** The session with its cookie's end, which is the end of the session. */
export function withMoments(data: SessionData, leftMs: number): SessionData {
  const cookie = { ...(data['cookie'] as SessionData | undefined) };
  if (typeof cookie['originalMaxAge'] === 'number') cookie['expires'] = new Date(Date.now() + leftMs);
  return { ...data, cookie };
}

/** `express-session` measures a lifetime by the clock, and loses a millisecond now and then. */
function steady(ms: number): number {
  return ms < 10_000 ? Math.ceil(ms) : Math.round(ms / 1_000) * 1_000;
}
