import { show, type BackendMode } from '@roost/redis';
import { isOutagePolicy } from '../policies/limit.js';
import { TrustedProxies } from '../requests/trusted-proxies.js';
import type { OutagePolicy, ProxyOptions } from '../throttle.options.js';

/** How a refusal of {@link RoostThrottlerGuard} tells when to come back. */
export type RetryAfterStyle =
  | /** One `Retry-After`, as RFC 9110 has it. */ 'plain'
  | /** `Retry-After-<name>` for a named throttler, as @nestjs/throttler has it, which no client reads. */ 'suffixed'
  | 'both';

/**
 * Options of {@link RoostThrottlerModule}. Limits stay where they are: in `ThrottlerModule`.
 * @example RoostThrottlerModule.forRoot({ outage: 'closed' })
 */
export interface RoostThrottlerOptions {
  /** The Redis connection. @default 'default' */
  readonly connection?: string;
  /** `memory` never touches Redis; `redis` fails the boot without it. @default the connection's */
  readonly backend?: BackendMode;
  /** What decides while Redis is lost: this process, nobody, or a refusal (429). @default 'local' */
  readonly outage?: OutagePolicy;
  /** How many processes share the limits; one that decides alone takes a limit's share, rounded up. @default 1 */
  readonly replicas?: number;
  /** How many keys this process remembers when it decides alone. @default 100_000 */
  readonly memoryMaxEntries?: number;
  /** How many refused keys this process remembers, and refuses without asking Redis; 0 for none. @default 10_000 */
  readonly rejectCacheEntries?: number;
  /** @default 'plain' */
  readonly compatRetryAfter?: RetryAfterStyle;
  /**
   * What the guard's answers carry: the headers of @nestjs/throttler, or `RateLimit` and `RateLimit-Policy` of the current
   * IETF draft. @default 'compat'
   */
  readonly preset?: 'compat' | 'modern';
  /** How the guard finds the client's address behind proxies. @default as the HTTP adapter says */
  readonly proxy?: ProxyOptions;
}

const KNOWN_OPTIONS = new Set(
  'connection backend outage replicas memoryMaxEntries rejectCacheEntries compatRetryAfter preset proxy'.split(' '),
);

/** The module's options with nothing left open; also the DI token for them. */
export class ThrottlerConfig {
  readonly connection: string;
  readonly backend: BackendMode | undefined;
  readonly outage: OutagePolicy;
  readonly replicas: number;
  readonly memoryMaxEntries: number;
  readonly rejectCacheEntries: number;
  readonly compatRetryAfter: RetryAfterStyle;
  readonly preset: 'compat' | 'modern';
  readonly proxy: TrustedProxies | undefined;
  /** What is wrong with the options: when there is anything, the boot fails. */
  readonly problems: readonly string[];

  constructor(options: RoostThrottlerOptions) {
    const problems = problemsOf(options);
    this.problems = problems;
    this.proxy = options.proxy === undefined ? undefined : new TrustedProxies(options.proxy, problems);
    this.connection = options.connection ?? 'default';
    this.backend = options.backend;
    this.outage = options.outage ?? 'local';
    this.replicas = options.replicas ?? 1;
    this.memoryMaxEntries = options.memoryMaxEntries ?? 100_000;
    this.rejectCacheEntries = options.rejectCacheEntries ?? 10_000;
    this.compatRetryAfter = options.compatRetryAfter ?? 'plain';
    this.preset = options.preset ?? 'compat';
  }
}

function problemsOf(options: RoostThrottlerOptions): string[] {
  const { backend, outage, replicas, memoryMaxEntries, rejectCacheEntries, compatRetryAfter, preset } = options;
  const problems = Object.keys(options)
    .filter((name) => !KNOWN_OPTIONS.has(name))
    .map((name) => `Unknown option \`${name}\``);
  const oneOf = (name: string, value: unknown, allowed: readonly string[]) => {
    if (value === undefined || allowed.includes(value as string)) return;
    problems.push(`Expected \`${name}\` to be ${allowed.join(', ')}, got ${show(value)}`);
  };
  oneOf('backend', backend, ['auto', 'redis', 'memory']);
  oneOf('compatRetryAfter', compatRetryAfter, ['plain', 'suffixed', 'both']);
  oneOf('preset', preset, ['compat', 'modern']);
  if (outage !== undefined && !isOutagePolicy(outage)) {
    problems.push(`Expected \`outage\` to be 'local', 'open' or 'closed', got ${show(outage)}`);
  }
  for (const [name, value, least] of [
    ['replicas', replicas, 1],
    ['memoryMaxEntries', memoryMaxEntries, 1],
    ['rejectCacheEntries', rejectCacheEntries, 0],
  ] as const) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) continue;
    const kind = least === 0 ? 'non-negative' : 'positive';
    problems.push(`Expected \`${name}\` to be a ${kind} integer, got ${show(value)}`);
  }
  return problems;
}
