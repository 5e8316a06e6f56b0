import { show, type BackendMode } from '@roost/redis';
import { isOutagePolicy, resolveLimits, type Limit } from './policies/limit.js';
import type { OutagePolicy, ThrottleOptions } from './throttle.options.js';
import { Tiers } from './policies/tiers.js';

const KNOWN_OPTIONS = new Set(
  'policies tiers tierOf userOf apiKeyOf headers outage backend connection replicas canaryPercent memoryMaxEntries proxy ipv6Prefix rejectCacheEntries refuseEarly stopLoss'.split(
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
  readonly headers: { readonly draft: boolean; readonly legacy: boolean };
  /** What is wrong with the options: when there is anything, the boot fails and nothing else here is of use. */
  readonly problems: readonly string[];

  constructor(readonly options: ThrottleOptions) {
    const problems = problemsOf(options);
    this.problems = problems;
    const { policies = {}, tiers, headers = ['ratelimit'] } = options;
    this.tiers = tiers && new Tiers(tiers, problems);
    this.outage = options.outage ?? 'local';
    this.backend = options.backend;
    this.connection = options.connection ?? 'default';
    this.replicas = options.replicas ?? 1;
    this.canaryPercent = options.canaryPercent ?? 100;
    this.memoryMaxEntries = options.memoryMaxEntries ?? 100_000;
    this.headers = { draft: headers.includes('ratelimit'), legacy: headers.includes('x-ratelimit') };
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
  const { headers, outage, backend, replicas, canaryPercent, memoryMaxEntries } = options;
  if (headers?.some((each) => each !== 'ratelimit' && each !== 'x-ratelimit')) {
    problems.push(`Expected \`headers\` to hold 'ratelimit' and 'x-ratelimit' only, got ${show(headers)}`);
  }
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
  if (canaryPercent !== undefined && !isPercent(canaryPercent)) {
    problems.push(
      `Expected \`canaryPercent\` (RATE_LIMIT_CANARY_PERCENT) to be from 0 to 100, got ${show(canaryPercent)}`,
    );
  }
  for (const name of ['tierOf', 'userOf', 'apiKeyOf'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      problems.push(`Expected \`${name}\` to be a function, got ${show(options[name])}`);
    }
  }
  return problems;
}

function isPercent(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 100;
}
