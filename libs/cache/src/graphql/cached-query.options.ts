import { show, toMs, type Duration } from '@roost/redis';
import type { CodecChoice } from '../values/codec.js';

/** How the results of a query are kept. */
export interface CachedQueryOptions<Context = unknown> {
  /** How long a result is fresh, from 30 s to 5 min. */
  readonly ttl: Duration;
  /**
   * Who shares a result: `public` for everybody, or the owner's name from the context of GraphQL, such as the id of the user;
   * undefined or empty for nobody.
   */
  readonly scope: 'public' | ((context: Context) => string | undefined);
  /** By which `invalidateTags` finds it; from the arguments of the query, where they say more. */
  readonly tags?: readonly string[] | ((args: Readonly<Record<string, unknown>>) => readonly string[]);
  /** How long after its `ttl` it is still served when the resolver fails, or 0. @default that of the module */
  readonly grace?: Duration;
  /** @default 'v8', which keeps Dates as scalars want them */
  readonly codec?: CodecChoice;
}

const KNOWN = new Set(['ttl', 'scope', 'tags', 'grace', 'codec']);
const LEAST_MS = 30_000;
const MOST_MS = 300_000;

/** What is wrong with the options of a query. */
export function problemsOf(written: CachedQueryOptions): string[] {
  if (typeof written !== 'object' || written === null) return [`Expected options { ttl, scope }, got ${show(written)}`];
  const { ttl, scope, tags, grace } = written;
  const problems = Object.keys(written)
    .filter((name) => !KNOWN.has(name))
    .map((name) => `Unknown option \`${name}\``);
  const ttlMs = msOf(ttl);
  if (!(ttlMs >= LEAST_MS && ttlMs <= MOST_MS)) {
    problems.push(`Expected \`ttl\` to be from '30s' to '5m', got ${show(ttl)}`);
  }
  if (scope !== 'public' && typeof scope !== 'function') {
    problems.push(`Expected \`scope\` to be 'public', or a function that says whose the result is, got ${show(scope)}`);
  }
  if (tags !== undefined && typeof tags !== 'function' && !isNames(tags)) {
    problems.push(`Expected \`tags\` to be an array of strings, or a function, got ${show(tags)}`);
  }
  if (grace !== undefined && grace !== 0 && Number.isNaN(msOf(grace))) {
    problems.push(`Expected \`grace\` to be 0 or a duration, got ${show(grace)}`);
  }
  return problems;
}

function msOf(duration: Duration): number {
  try {
    return toMs(duration);
  } catch (error) {
    if (error instanceof RangeError) return NaN;
    throw error;
  }
}

function isNames(tags: unknown): boolean {
  return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag !== '');
}
