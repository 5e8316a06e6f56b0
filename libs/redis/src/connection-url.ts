import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';

/** Where a Redis is and how to log in, taken from a URL. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** The IP version to look the host up for; 0 takes either. */
  readonly family?: number;
  readonly tls: boolean;
}

/**
 * Reads `redis://user:password@host:6379/0` or `rediss://…` (TLS).
 * @throws Error that says what is wrong and never repeats the URL, which may hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error('it is not a URL; write redis://user:password@host:6379 and percent-encode special characters');
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new Error('its scheme is another; write redis:// or rediss:// (TLS)');
  }
  if (parsed.hash !== '' || parsed.search.includes('@')) {
    throw new Error('it holds a # or ? before the host; percent-encode special characters of the password (%23, %3F)');
  }
  const { family, ...unknown } = Object.fromEntries(parsed.searchParams);
  if (Object.keys(unknown).length > 0 || !/^[046]?$/.test(family ?? '')) {
    throw new Error('it has a query other than ?family=0, 4 or 6; everything else is an option of its own');
  }
  if (parsed.hostname === '') throw new Error('it names no host');
  const db = parsed.pathname.replace(/^\//, '');
  if (!/^\d{0,5}$/.test(db)) throw new Error('its path is not a database number');
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    ...(parsed.username === '' ? {} : { username: decode(parsed.username, 'user name') }),
    ...(parsed.password === '' ? {} : { password: decode(parsed.password, 'password') }),
    db: Number(db),
    ...(family ? { family: Number(family) } : {}),
    tls: parsed.protocol === 'rediss:',
  };
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`its ${what} is not percent-encoded correctly`);
  }
}

/** The client's options for an address; the certificate is checked unless the caller's own TLS options say otherwise. */
export function addressOptions(address: RedisAddress, tls: boolean | TlsOptions | undefined): RedisOptions {
  const { host, port, username, password, db, family } = address;
  const secure = address.tls || Boolean(tls);
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host; // RFC 6066: SNI carries names, never addresses
  return {
    host,
    port,
    db,
    ...(family === undefined ? {} : { family }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(secure ? { tls: { ...(servername ? { servername } : {}), ...(typeof tls === 'object' ? tls : {}) } } : {}),
  };
}

/** The password in a file, without the newline that editors and secret mounts add. */
export function readPassword(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}
