import { InvalidOptionsError, show, toMs, type Duration } from '@roost/redis';

/** How `CACHE_MANAGER` keeps values. */
export interface RoostCacheManagerOptions {
  /** How long a value is kept when a call does not say. @default '5m' */
  readonly ttl?: Duration;
  /** What its keys begin with; `clear()` reaches no other. Letters, digits, `_`, `.` and `-`. @default 'app' */
  readonly namespace?: string;
  /** The connection of `RedisModule`. @default 'default' */
  readonly connection?: string;
  /** The deadline of each command, in ms, where it is shorter than the connection's. @default `commandTimeoutMs` (250) */
  readonly timeoutMs?: number;
  /** `wrap` loads anew in the background when less is left of a value's lifetime. @default never */
  readonly refreshThreshold?: Duration;
  /** A value whose text is longer is not stored, in bytes. @default 262144 (256 KiB) */
  readonly maxValueBytes?: number;
  /** What values in this process may take, in bytes; only without Redis. @default 33554432 (32 MiB) */
  readonly memoryMaxBytes?: number;
}

const DEFAULTS = {
  ttl: '5m',
  namespace: 'app',
  connection: 'default',
  maxValueBytes: 262_144,
  memoryMaxBytes: 33_554_432,
} as const satisfies RoostCacheManagerOptions;

const KNOWN = [...Object.keys(DEFAULTS), 'timeoutMs', 'refreshThreshold'];

/** The module's options with nothing left open; also the DI token for them. */
export class CacheManagerConfig {
  readonly ttlMs: number;
  readonly namespace: string;
  readonly connection: string;
  readonly timeoutMs: number | undefined;
  readonly refreshThresholdMs: number | undefined;
  readonly maxValueBytes: number;
  readonly memoryMaxBytes: number;
  /** What is allowed and yet looks like a mistake. */
  readonly warnings: readonly string[];

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(options: RoostCacheManagerOptions) {
    const given = {
      ...DEFAULTS,
      ...Object.fromEntries(Object.entries(options).filter(([, each]) => each !== undefined)),
    };
    const { ttl, namespace, connection, timeoutMs, refreshThreshold }: RoostCacheManagerOptions = given;
    const problems = Object.keys(options)
      .filter((name) => !KNOWN.includes(name))
      .map((name) => `There is no option \`${name}\`; there are ${KNOWN.join(', ')}`);
    const ms = (name: string, value: Duration) => {
      try {
        return toMs(value);
      } catch (error) {
        problems.push(`\`${name}\`: ${(error as Error).message}`);
        return NaN;
      }
    };
    const whole = (name: 'timeoutMs' | 'maxValueBytes' | 'memoryMaxBytes', most: number) => {
      const value: unknown = (given as RoostCacheManagerOptions)[name];
      if (!Number.isSafeInteger(value) || (value as number) <= 0 || (value as number) > most) {
        problems.push(`Expected \`${name}\` to be an integer from 1 to ${most}, got ${show(value)}`);
      }
      return value as number;
    };
    this.ttlMs = ms('ttl', ttl!);
    this.refreshThresholdMs = refreshThreshold === undefined ? undefined : ms('refreshThreshold', refreshThreshold);
    this.timeoutMs = timeoutMs === undefined ? undefined : whole('timeoutMs', 300_000);
    this.maxValueBytes = whole('maxValueBytes', 536_870_912);
    this.memoryMaxBytes = whole('memoryMaxBytes', Number.MAX_SAFE_INTEGER);
    this.namespace = namespace!;
    this.connection = connection!;
    if (typeof namespace !== 'string' || !/^[A-Za-z0-9_.-]{1,64}$/.test(namespace)) {
      problems.push(`Expected \`namespace\` to be 1 to 64 letters, digits and _ . -, got ${show(namespace)}`);
    }
    if (typeof connection !== 'string') {
      problems.push(`Expected \`connection\` to be the name of a connection, got ${show(connection)}`);
    }
    if (problems.length > 0) throw new InvalidOptionsError('RoostCacheManagerModule', problems);
    this.warnings = typeof ttl === 'number' && looksLikeSeconds(ttl) ? [secondsWarning('`ttl`', ttl)] : [];
  }
}

/** Older versions of cache-manager took seconds. */
export function looksLikeSeconds(ttlMs: number): boolean {
  return ttlMs < 1_000;
}

export function secondsWarning(what: string, ttlMs: number): string {
  return `${what} is ${ttlMs}, which is ${ttlMs} milliseconds. If seconds were meant, write ${ttlMs * 1_000}.`;
}
