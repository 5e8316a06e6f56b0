import { defineKey, digest, type Key } from '@roost/redis';

/** The longest that anything of this lib lives. */
export const LONGEST_TTL = '90d';
/** What a session may hold at most, whatever the options say. */
export const MOST_BYTES = 65_536;
/** What a flag or a token may hold. */
export const VALUE_BYTES = 1_024;

// One constant hash tag: a script moves a session from one id to another and keeps its user's list, also on a Cluster.
const sessionKey = defineKey('id:{id}', { tag: 'session', ttl: LONGEST_TTL, maxBytes: MOST_BYTES + 400 });
/** That a session was ended: a request that still runs does not bring it back. */
const endedKey = defineKey('ended:{id}', { tag: 'session', ttl: '1h', maxBytes: 1 });
/** Digests of a user's session ids by when each began. */
const userKey = defineKey('user:{user}', { tag: 'session', ttl: LONGEST_TTL, maxBytes: 4_000 });

const flagKey = defineKey('session:{userId}:{flag}', { ttl: '30m', maxBytes: VALUE_BYTES });
const otpKey = defineKey('otp:{subject}:{purpose}', { ttl: '1h', maxBytes: 60, slot: 'subject' });
/** How many codes were sent and how many guesses were wrong: a new code does not touch it. */
const budgetKey = defineKey('otp-budget:{subject}:{purpose}', { ttl: '1d', maxBytes: 60, slot: 'subject' });
const tokenKey = defineKey('token:{token}:{purpose}', { ttl: '1d', maxBytes: VALUE_BYTES });
const overrideKey = defineKey('flag:{feature}:{userId}', { ttl: LONGEST_TTL, maxBytes: 3 });
const rolloutKey = defineKey('flag-rollout:{feature}', { ttl: LONGEST_TTL, maxBytes: 6 });
const killKey = defineKey('flag-kill:{feature}', { ttl: LONGEST_TTL, maxBytes: 1 });

/** Every kind of key this lib writes. */
export const sessionKeys = [
  sessionKey,
  endedKey,
  userKey,
  flagKey,
  otpKey,
  budgetKey,
  tokenKey,
  overrideKey,
  rolloutKey,
  killKey,
] as const;

/** Where a session stands; `id` is the digest of what the cookie holds. */
export const sessionKeyOf = (id: string): Key => sessionKey.of({ id });
export const endedKeyOf = (id: string): Key => endedKey.of({ id });

/** The list of a user's sessions; without a user a list that nobody has. */
export const userKeyOf = (user: string | undefined): Key =>
  userKey.of({ user: user === undefined ? '-' : digest(user) });

/** What the key of every session begins with, without the product's prefix. */
export const SESSION_KEY_HEAD = sessionKeyOf('-').name.slice(0, -1);

export const flagKeyOf = (userId: string, flag: string): Key => flagKey.of({ userId, flag });
export const tokenKeyOf = (token: string, purpose: string): Key => tokenKey.of({ token: digest(token), purpose });

/** `subject` is a digest that only the pepper's owner can make. */
export function codeKeysOf(subject: string, purpose: string): { readonly code: Key; readonly budget: Key } {
  return { code: otpKey.of({ subject, purpose }), budget: budgetKey.of({ subject, purpose }) };
}

export const overrideKeyOf = (feature: string, userId: string): Key => overrideKey.of({ feature, userId });
export const rolloutKeyOf = (feature: string): Key => rolloutKey.of({ feature });
export const killKeyOf = (feature: string): Key => killKey.of({ feature });
