import type { Redis } from 'ioredis';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { BackendMode } from './backend.js';
import { parseRedisUrl, readPassword } from './connection-url.js';
import { defined } from './defined.js';
import { show } from './duration.js';
import { InvalidOptionsError } from './redis.errors.js';

/** How to reach one Redis. */
export interface RedisConnectionOptions {
  /** `redis://` or `rediss://` (TLS). Without one, and without a `client`, everything stays in memory. */
  readonly url?: string;
  /** A client of your own: Roost opens its connections with its options, and never closes it. */
  readonly client?: Redis;
  /** True forces TLS on a `redis://` URL; an object adds TLS options, such as `ca`. @default by the URL's scheme */
  readonly tls?: boolean | TlsOptions;
  /** A file with the password, read again at every connection, so that a rotated secret needs no restart. */
  readonly passwordFile?: string;
  /** @default 'auto' */
  readonly backend?: BackendMode;
  /** The deadline of a command in ms. @default 250 */
  readonly commandTimeoutMs?: number;
  /** How long a connection may take to open in ms. @default 1000 */
  readonly connectTimeoutMs?: number;
  /** How often an idle connection is asked for a sign of life in ms. @default 4000 */
  readonly heartbeatMs?: number;
  /** The longest pause between two tries of a lost Redis in ms, at most 300000. @default 5000 */
  readonly recheckMs?: number;
  /** How long the boot waits for a Redis that does not refuse, in ms. @default 3000 */
  readonly bootWaitMs?: number;
}

/** Options of {@link RedisModule}: those of the `default` connection, and what all connections share. */
export interface RedisModuleOptions extends RedisConnectionOptions {
  /** First part of every key. @default 'roost' */
  readonly keyPrefix?: string;
  /** Whether a lost Redis is an error (production) or a warning (development) in the log. @default false */
  readonly production?: boolean;
  /** Further connections by name; each takes over the options that it does not set. */
  readonly connections?: Readonly<Record<string, RedisConnectionOptions>>;
}

/** The options of one connection with nothing left open. */
export type ResolvedConnection = RedisConnectionOptions &
  Required<Omit<RedisConnectionOptions, 'url' | 'client' | 'tls' | 'passwordFile'>>;

export interface ResolvedRedisOptions {
  readonly keyPrefix: string;
  readonly production: boolean;
  readonly connections: ReadonlyMap<string, ResolvedConnection>;
}

const DEFAULTS = {
  backend: 'auto',
  commandTimeoutMs: 250,
  connectTimeoutMs: 1_000,
  heartbeatMs: 4_000,
  recheckMs: 5_000,
  bootWaitMs: 3_000,
} as const;

const KNOWN = new Set(['url', 'client', 'tls', 'passwordFile', ...Object.keys(DEFAULTS)]);

/** @throws InvalidOptionsError that names every problem at once. */
export function resolveRedisOptions(options: RedisModuleOptions): ResolvedRedisOptions {
  const { keyPrefix = 'roost', production = false, connections = {}, ...main } = options;
  const problems: string[] = [];
  if (!/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$/.test(keyPrefix)) {
    problems.push(`Expected \`keyPrefix\` to be 1 to 63 letters, digits and _ . : -, got ${show(keyPrefix)}`);
  }
  if ('default' in connections) problems.push('Expected no connection named "default": its options are the outer ones');
  const { url: _url, client: _client, passwordFile: _file, ...inherited } = main;
  const resolved = new Map<string, ResolvedConnection>();
  for (const [name, own] of Object.entries({ default: main, ...connections })) {
    const connection: ResolvedConnection = { ...DEFAULTS, ...defined(inherited), ...defined(own) };
    resolved.set(name, connection);
    for (const problem of problemsOf(connection)) {
      problems.push(name === 'default' ? problem : `Connection "${name}": ${problem}`);
    }
  }
  if (problems.length > 0) throw new InvalidOptionsError('RedisModule', problems);
  return { keyPrefix, production, connections: resolved };
}

function problemsOf(options: ResolvedConnection): string[] {
  const problems = Object.keys(options)
    .filter((name) => !KNOWN.has(name))
    .map((name) => `There is no option \`${name}\`; there are ${[...KNOWN].join(', ')}`);
  if (options.url !== undefined && options.client !== undefined) problems.push('Expected `url` or `client`, got both');
  if (options.url !== undefined) {
    try {
      parseRedisUrl(options.url);
    } catch (error) {
      problems.push(`\`url\` (REDIS_URL) cannot be used: ${(error as Error).message}`);
    }
  }
  if (!['auto', 'redis', 'memory'].includes(options.backend)) {
    problems.push(`Expected \`backend\` to be auto, redis or memory, got ${show(options.backend)}`);
  }
  if (options.backend === 'redis' && options.url === undefined && options.client === undefined) {
    problems.push('`backend` is redis, but there is no `url` (REDIS_URL)');
  }
  if (options.passwordFile !== undefined) {
    try {
      readPassword(options.passwordFile);
    } catch (error) {
      problems.push(`\`passwordFile\` (REDIS_PASSWORD_FILE) cannot be read: ${(error as Error).message}`);
    }
  }
  for (const name of ['commandTimeoutMs', 'connectTimeoutMs', 'heartbeatMs', 'recheckMs', 'bootWaitMs'] as const) {
    const value: unknown = options[name];
    if (!Number.isSafeInteger(value) || (value as number) <= 0 || (value as number) > 300_000) {
      problems.push(`Expected \`${name}\` to be an integer from 1 to 300000, got ${show(value)}`);
    }
  }
  return problems;
}
