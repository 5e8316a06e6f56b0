import { show, toMs, type Duration } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import { LimitKeys } from '../stores/rate-limit.keys.js';
import type { BlockRule } from '../stores/rate-limit.store.js';
import type {
  BlockOptions,
  CountedOutcomes,
  KeySource,
  LimitMode,
  LimitOptions,
  OutagePolicy,
} from '../throttle.options.js';
import { modeProblems } from './limit-mode.js';
import { algorithmOf, quotaOf, quotaProblems } from './quota.js';
import type { Tiers } from './tiers.js';

export { quotaProblem } from './quota.js';

/** One limit with nothing left open. */
export interface Limit {
  /** In headers, metrics and keys: `login`, or `login.user` where a policy has several. */
  readonly name: string;
  /** What tells it apart within its policy: its own name, else its index. */
  readonly part: string;
  readonly quota: Quota | 'unlimited' | 'byTier';
  readonly algorithm: AlgorithmName;
  readonly key: KeySource;
  readonly cost: Exclude<LimitOptions['cost'], undefined>;
  readonly count: CountedOutcomes;
  readonly block: Omit<BlockRule, 'violations'> | undefined;
  readonly per: 'request' | 'call';
  readonly outage: OutagePolicy;
  readonly mode: LimitMode;
  readonly lease?: boolean;
  readonly keys: LimitKeys;
}

const MAX_REMEMBERED_MS = 366 * 86_400_000;
const MAX_COST = Number.MAX_SAFE_INTEGER;
const DEFAULT_WITHIN: Duration = '1d';
const KNOWN_OPTIONS = new Set([
  'name',
  'limit',
  'window',
  'algorithm',
  'key',
  'cost',
  'outage',
  'timeZone',
  'count',
  'block',
  'mode',
  'per',
  'lease',
]);

/** Whether a number can be the cost of a request. */
export function isCost(cost: unknown): cost is number {
  return Number.isSafeInteger(cost) && (cost as number) >= 0 && (cost as number) <= MAX_COST;
}

/** Whether what a request takes is settled when it has ended: see `count` and the algorithm `concurrency`. */
export function isHeld({ algorithm, count }: Limit): boolean {
  return count !== 'all' || algorithm === 'concurrency';
}

/** What the module's options say about limits that do not. */
interface Defaults {
  readonly outage: OutagePolicy;
  readonly tiered: boolean;
  readonly tiers?: Tiers | undefined;
}

/** Completes a policy's limits. Pushes every problem, each beginning with `where`. */
export function resolveLimits(
  where: string,
  name: string,
  written: LimitOptions | readonly LimitOptions[],
  defaults: Defaults,
  problems: string[],
): readonly Limit[] {
  const several = Array.isArray(written);
  const all = (several ? written : [written]) as readonly LimitOptions[];
  if (all.length === 0) problems.push(`${where}: expected at least one limit`);
  const limits = all.map((options, index) => {
    const found = problemsOf(options, defaults);
    problems.push(...found.map((problem) => `${where}${all.length > 1 ? ` [${index}]` : ''}: ${problem}`));
    const part = String((options as LimitOptions | undefined)?.name ?? index);
    const limitName = several && all.length > 1 ? `${name}.${part}` : name;
    return complete(options ?? {}, limitName, part, defaults.outage, found.length === 0);
  });
  for (const limit of limits) {
    if (!isName(limit.name)) {
      problems.push(`${where}: expected the name to be 1 to 128 printable ASCII characters, got ${show(limit.name)}`);
    }
  }
  if (new Set(limits.map((limit) => limit.name)).size < limits.length) {
    problems.push(`${where}: expected each limit to have a name of its own`);
  }
  return limits;
}

/** Names travel in structured header fields, which are ASCII (RFC 9651). */
function isName(name: string): boolean {
  return /^[\x20-\x7e]{1,128}$/.test(name);
}

function complete(options: LimitOptions, name: string, part: string, outage: OutagePolicy, valid: boolean): Limit {
  const algorithm = algorithmOf(options);
  return {
    name,
    part,
    quota: typeof options.limit === 'number' && valid ? quotaOf(options) : (options.limit as 'unlimited'),
    algorithm,
    key: options.key ?? 'ip',
    cost: options.cost ?? 1,
    count: options.count ?? 'all',
    block: options.block && valid ? completeBlock(options.block) : undefined,
    per: options.per ?? 'request',
    outage: options.outage ?? outage,
    mode: options.mode ?? 'enforce',
    lease: options.lease ?? false,
    keys: new LimitKeys(algorithm, name),
  };
}

function completeBlock({ after, for: duration, within = DEFAULT_WITHIN }: BlockOptions): Limit['block'] {
  return { after, forMs: toMs(duration), withinMs: toMs(within) };
}

function problemsOf(options: LimitOptions, { tiered, tiers }: Defaults): string[] {
  if (typeof options !== 'object' || options === null) return [`expected { limit, window, … }, got ${show(options)}`];
  const problems: string[] = [];
  const { limit, key, cost, per, outage } = options;
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.has(name)) problems.push(`Unknown option \`${name}\``);
  }
  if (options.name !== undefined && typeof options.name !== 'string') {
    problems.push(`Expected \`name\` to be a string, got ${show(options.name)}`);
  }
  problems.push(...quotaProblems(options));
  if (limit === 'byTier' && !tiered)
    problems.push("`limit: 'byTier'` needs `tiers` and `tierOf` in the module's options");
  if (limit === 'byTier') problems.push(...(tiers?.problemsWith(algorithmOf(options)) ?? []));
  if (key !== undefined && typeof key !== 'function' && !['ip', 'user', 'apiKey', 'connection'].includes(key)) {
    problems.push(`Expected \`key\` to be 'ip', 'user', 'apiKey', 'connection' or a function, got ${show(key)}`);
  }
  if (per !== undefined && per !== 'request' && per !== 'call') {
    problems.push(`Expected \`per\` to be 'request' or 'call', got ${show(per)}`);
  }
  if (cost !== undefined && typeof cost !== 'function' && !isCost(cost)) {
    problems.push(`Expected \`cost\` to be a non-negative integer or a function, got ${show(cost)}`);
  }
  if (outage !== undefined && !isOutagePolicy(outage)) {
    problems.push(`Expected \`outage\` to be 'local', 'open' or 'closed', got ${show(outage)}`);
  }
  return [
    ...problems,
    ...countProblems(options),
    ...blockProblems(options.block),
    ...modeProblems(options),
    ...leaseProblems(options),
  ];
}

/** Units that are spent far from Redis must all be alike, and nothing may hang on a single refusal or outcome. */
function leaseProblems({ lease, algorithm = 'gcra', block, count = 'all' }: LimitOptions): string[] {
  if (lease !== undefined && typeof lease !== 'boolean')
    return [`Expected \`lease\` to be a boolean, got ${show(lease)}`];
  if (lease !== true) return [];
  const problems: string[] = [];
  if (algorithm !== 'gcra' && algorithm !== 'fixed-window') {
    problems.push(`Expected \`lease\` only with algorithm 'gcra' or 'fixed-window', got ${show(algorithm)}`);
  }
  if (block !== undefined) problems.push('Expected no `block` with `lease`');
  if (count !== 'all') problems.push('Expected no `count` with `lease`');
  return problems;
}

function countProblems({ count, algorithm }: LimitOptions): string[] {
  if (count === undefined || count === 'all') return [];
  if (typeof count !== 'function' && count !== 'success' && count !== 'failure') {
    return [`Expected \`count\` to be 'all', 'success', 'failure' or a function, got ${show(count)}`];
  }
  return algorithm === 'concurrency'
    ? ["Expected no `count` with algorithm 'concurrency': its slots are free again when requests end"]
    : [];
}

function blockProblems(block: BlockOptions | undefined): string[] {
  if (block === undefined) return [];
  if (typeof block !== 'object' || block === null)
    return [`Expected \`block\` to be { after, for }, got ${show(block)}`];
  const { after, for: duration, within = DEFAULT_WITHIN, ...unknown } = block;
  const problems = Object.keys(unknown).map((name) => `Unknown option \`block.${name}\``);
  if (!Number.isSafeInteger(after) || after < 1) {
    problems.push(`Expected \`block.after\` to be a positive integer, got ${show(after)}`);
  }
  for (const [name, value] of Object.entries({ for: duration, within })) {
    const problem = durationProblem(value);
    if (problem) problems.push(`\`block.${name}\`: ${problem}`);
  }
  return problems;
}

/** What is wrong with how long something is remembered, if anything. */
export function durationProblem(duration: Duration): string | undefined {
  try {
    return toMs(duration) > MAX_REMEMBERED_MS ? `Expected at most 366d, got ${show(duration)}` : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether a value names an outage policy. */
export function isOutagePolicy(value: unknown): value is OutagePolicy {
  return value === 'local' || value === 'open' || value === 'closed';
}
