import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseRedisUrl, type RedisAddress } from '@roost/redis';
import { failure, type Outcome } from './finding.js';

/** The server to examine, as the service would reach it: `tls` as REDIS_TLS and the password as its file have it. */
export type RedisTarget = RedisAddress;

const EXAMPLE = 'rediss://user:password@host:6379';
const ENCODE = 'Percent-encode it: # is %23, / is %2F, ? is %3F, @ is %40, % is %25.';

/**
 * Reads where Redis is from a URL and the environment, or says what is wrong with them. Nothing of a URL that was
 * misread is repeated: what looks like its host or its scheme may be the password.
 */
export function readTarget(url: string | undefined, env: NodeJS.ProcessEnv): RedisTarget | Outcome {
  if (!url) return failure('no URL to examine', `Set REDIS_URL, or pass --url ${EXAMPLE}.`);
  if (/^https?:/i.test(url)) {
    return failure(
      'this is an HTTP address, not one of the Redis protocol',
      `Copy the URL that looks like ${EXAMPLE}.`,
    );
  }
  if (!/^rediss?:\/\//i.test(url)) {
    return failure('the URL does not begin with rediss:// or redis://', `Write it like ${EXAMPLE}.`);
  }
  // An unencoded '#', '/' or '?' ends the authority early: the head of the password then passes for host and port.
  const authority = /^\w+:\/\/[^/?#]*/.exec(url)![0];
  if (url.slice(authority.length).includes('@')) {
    return failure('the password in the URL holds a sign that ends it early', ENCODE);
  }

  let address: RedisAddress;
  try {
    address = parseRedisUrl(url);
  } catch (error) {
    return failure(`the URL cannot be used: ${(error as Error).message}`, `Write it like ${EXAMPLE}. ${ENCODE}`);
  }
  const tls = address.tls || env.REDIS_TLS?.toLowerCase() === 'true';
  if (!env.REDIS_PASSWORD_FILE) return { ...address, tls };
  try {
    return { ...address, tls, password: readFileSync(env.REDIS_PASSWORD_FILE, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    // The path is not repeated: a password put there by mistake would be.
    const { code } = error as NodeJS.ErrnoException;
    return failure(
      `the file that REDIS_PASSWORD_FILE names cannot be read (${code})`,
      'It must hold a path to a file that this user may read.',
    );
  }
}

/** The server as people write it, without credentials. */
export function nameOf({ host, port }: RedisTarget): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
