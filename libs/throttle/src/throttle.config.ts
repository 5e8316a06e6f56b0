import { show, type BackendMode } from '@roost/redis';
import { isOutagePolicy, resolveLimits, type Limit } from './policies/limit.js';
import { IPV6_PREFIX } from './requests/client-address.js';
import { headerProblem } from './requests/header-dialects.js';
import { TrustedProxies } from './requests/trusted-proxies.js';
import type { HeaderDialect, OutagePolicy, ThrottleOptions } from './throttle.options.js';
import { Tiers } from './policies/tiers.js';
import { resolveStopLoss, type StopLossLimits } from './rollout/stop-loss.js';

const KNOWN_OPTIONS = new Set(
  'policies tiers tierOf userOf apiKeyOf headers outage backend connection replicas canaryPercent memoryMaxEntries proxy ipv6Prefix rejectCacheEntries refuseEarly stopLoss exposeHeaders partitionKeySecret'.split(
    ' ',
  ),
);

/** The module's options with nothing left open; also the DI token for them. */
export class ThrottleConfig {
  readonly policies: ReadonlyMap<string, readonly Limit[]>;
  readonly tiers: Tiers | undefined;
  readonly outage: OutagePolicy;
  readonly backend: BackendMode | undefined;
  readonly connection: string;
  readonly replicas: number;
  readonly canaryPercent: number;
  readonly memoryMaxEntries: number;
  readonly stopLoss: StopLossLimits | undefined;
  readonly rejectCacheEntries: number;
  readonly headers: readonly HeaderDialect[];
  readonly exposeHeaders: boolean;
  readonly partitionKeySecret: string | undefined;
  readonly proxy: TrustedProxies | undefined;
  readonly ipv6Prefix: number;
  readonly refuseEarly: boolean;
  /** What is wrong with the options: when there is anything, the boot fails and nothing else here is of use. */
  readonly problems: readonly string[];

  readonly options: ThrottleOptions;

  constructor(written: ThrottleOptions) {
    const options = isRecord(written) ? written : {};
    this.options = options;
    const problems = problemsOf(options);
    this.problems = problems;
    if (options !== written) problems.push(`Expected options such as { policies }, got ${show(written)}`);
    const { tiers, headers = ['ratelimit'] } = options;
    const policies = isRecord(options.policies) ? options.policies : {};
    this.tiers = isRecord(tiers) ? new Tiers(tiers, problems) : undefined;
    this.outage = options.outage ?? 'local';
    this.backend = options.backend;
    this.connection = options.connection ?? 'default';
    this.replicas = options.replicas ?? 1;
    this.canaryPercent = options.canaryPercent ?? 100;
    this.memoryMaxEntries = options.memoryMaxEntries ?? 100_000;
    this.stopLoss = resolveStopLoss(options.stopLoss, problems);
    this.rejectCacheEntries = options.rejectCacheEntries ?? 10_000;
    this.headers = headers;
    this.exposeHeaders = options.exposeHeaders ?? false;
    this.partitionKeySecret = options.partitionKeySecret;
    this.proxy = options.proxy === undefined ? undefined : new TrustedProxies(options.proxy, problems);
    this.ipv6Prefix = options.ipv6Prefix ?? IPV6_PREFIX;
    this.refuseEarly = options.refuseEarly ?? true;
    this.policies = new Map(
      Object.entries(policies).map(([name, limits]) => [
        name,
        resolveLimits(`Policy "${name}"`, name, limits, this, problems),
      ]),
    );
  }

  /** Whether `limit: 'byTier'` can be answered. */
  get tiered(): boolean {
    return this.tiers !== undefined && this.options.tierOf !== undefined;
  }
}

function problemsOf(options: ThrottleOptions): string[] {
  const problems: string[] = [];
  for (const name of Object.keys(options)) if (!KNOWN_OPTIONS.has(name)) problems.push(`Unknown option \`${name}\``);
  const { outage, backend, replicas, canaryPercent, memoryMaxEntries, rejectCacheEntries } = options;
  problems.push(...requestProblems(options));
  if (outage !== undefined && !isOutagePolicy(outage)) {
    problems.push(`Expected \`outage\` to be 'local', 'open' or 'closed', got ${show(outage)}`);
  }
  if (backend !== undefined && !['auto', 'redis', 'memory'].includes(backend)) {
    problems.push(`Expected \`backend\` (RATE_LIMIT_BACKEND) to be auto, redis or memory, got ${show(backend)}`);
  }
  for (const [name, value] of Object.entries({ replicas, memoryMaxEntries })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      problems.push(`Expected \`${name}\` to be a positive integer, got ${show(value)}`);
    }
  }
  if (rejectCacheEntries !== undefined && !(Number.isSafeInteger(rejectCacheEntries) && rejectCacheEntries >= 0)) {
    problems.push(`Expected \`rejectCacheEntries\` to be a non-negative integer, got ${show(rejectCacheEntries)}`);
  }
  if (canaryPercent !== undefined && !isPercent(canaryPercent)) {
    problems.push(
      `Expected \`canaryPercent\` (RATE_LIMIT_CANARY_PERCENT) to be from 0 to 100, got ${show(canaryPercent)}`,
    );
  }
  if (options.refuseEarly !== undefined && typeof options.refuseEarly !== 'boolean') {
    problems.push(`Expected \`refuseEarly\` to be true or false, got ${show(options.refuseEarly)}`);
  }
  for (const name of ['policies', 'tiers'] as const) {
    if (options[name] !== undefined && !isRecord(options[name])) {
      problems.push(`Expected \`${name}\` to be an object, by name, got ${show(options[name])}`);
    }
  }
  for (const name of ['tierOf', 'userOf', 'apiKeyOf'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      problems.push(`Expected \`${name}\` to be a function, got ${show(options[name])}`);
    }
  }
  return problems;
}

function requestProblems({ headers, exposeHeaders, partitionKeySecret, ipv6Prefix }: ThrottleOptions): string[] {
  const problems: string[] = [];
  const problem = headers === undefined ? undefined : headerProblem(headers);
  if (problem !== undefined) problems.push(problem);
  if (exposeHeaders !== undefined && typeof exposeHeaders !== 'boolean') {
    problems.push(`Expected \`exposeHeaders\` to be true or false, got ${show(exposeHeaders)}`);
  }
  // What it is stays out of the message: it is a secret.
  if (
    partitionKeySecret !== undefined &&
    !(typeof partitionKeySecret === 'string' && partitionKeySecret.length >= 16)
  ) {
    problems.push('Expected `partitionKeySecret` to be a string of at least 16 characters');
  }
  if (ipv6Prefix !== undefined && !(Number.isInteger(ipv6Prefix) && ipv6Prefix >= 32 && ipv6Prefix <= 128)) {
    problems.push(`Expected \`ipv6Prefix\` to be an integer from 32 to 128, got ${show(ipv6Prefix)}`);
  }
  return problems;
}

/** A list would do, too, and name what it holds 0, 1 and so on. */
function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPercent(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 100;
}
