import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { failure, type Outcome } from './finding.js';

/** The server to examine, as the service would reach it. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username: string;
  /** Empty when none is set. */
  readonly password: string;
  readonly database: number;
}

const EXAMPLE = 'rediss://user:password@host:6379';
const ENCODE = 'Percent-encode it: # is %23, / is %2F, ? is %3F, @ is %40, % is %25.';

/**
 * Reads where Redis is from a URL and the environment, or says what is wrong with them. Nothing of a URL that was
 * misread is repeated: what looks like its host or its scheme may be the password.
 */
export function readTarget(url: string | undefined, env: NodeJS.ProcessEnv): RedisTarget | Outcome {
  if (!url) return failure('no URL to examine', `Set REDIS_URL, or pass --url ${EXAMPLE}.`);
  const trimmed = url.trim();
  if (/^https?:/i.test(trimmed)) {
    return failure('this is an HTTP address, not the one of the Redis protocol', `Copy the URL like ${EXAMPLE}.`);
  }
  if (!/^rediss?:\/\//i.test(trimmed)) {
    return failure('the URL does not begin with rediss:// or redis://', `Write it like ${EXAMPLE}.`);
  }
  let parsed: URL;
  try {
    parsed = new URL(trimmed);
  } catch {
    return failure('the URL cannot be read', `Write it like ${EXAMPLE}. If the password holds signs: ${ENCODE}`);
  }
  // An unencoded '#', '/' or '?' ends the authority early: the password's head then passes for host and port.
  if (/@/.test(parsed.pathname + parsed.search + parsed.hash)) {
    return failure('the password in the URL holds a sign that ends it early', ENCODE);
  }
  if (!parsed.hostname) return failure('the URL names no host', `Write it like ${EXAMPLE}.`);
  const database = parsed.pathname.replace(/^\/|\/$/g, '');
  if (!/^\d{0,4}$/.test(database)) {
    return failure('the URL ends in something that is not a database number', 'End it in /0, or in nothing.');
  }

  let username: string, password: string;
  try {
    [username, password] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
  } catch {
    return failure('the password in the URL holds a lone %', ENCODE);
  }
  const file = env.REDIS_PASSWORD_FILE;
  if (file) {
    try {
      password = readFileSync(file, 'utf8').trim();
    } catch (error) {
      // The path is not repeated: a password put there by mistake would be.
      const { code } = error as NodeJS.ErrnoException;
      return failure(
        `the file that REDIS_PASSWORD_FILE names cannot be read (${code})`,
        'It must hold a path to a file that this user may read.',
      );
    }
  }
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port || 6379),
    tls: parsed.protocol === 'rediss:' || env.REDIS_TLS?.toLowerCase() === 'true',
    username,
    password,
    database: Number(database),
  };
}

/** The server as people write it, without credentials. */
export function nameOf({ host, port }: RedisTarget): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
