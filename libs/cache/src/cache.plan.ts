import { defined, show, toMs, type Duration } from '@roost/redis';
import { InvalidCacheOptionsError } from './cache.errors.js';
import type { CacheOptions } from './cache.options.js';
import type { Codec } from './values/codec.js';
import type { Codecs } from './values/codecs.js';

/** When a fresh value is loaded anew in the background. */
export type Eager = { readonly share: number } | { readonly beta: number };

/** The options of a call with nothing left open; durations in ms. */
export interface Plan {
  readonly ttlMs: number;
  readonly tags: readonly string[];
  readonly graceMs: number;
  readonly serveStale: (error: unknown) => boolean;
  readonly retryAfterMs: number;
  readonly softTimeoutMs: number | undefined;
  readonly hardTimeoutMs: number | undefined;
  readonly backgroundCompletion: boolean | undefined;
  readonly errorTtlMs: number;
  readonly negativeTtlMs: number | undefined;
  readonly jitter: number;
  readonly eager: Eager | undefined;
  readonly codec: Codec;
}

const DEFAULTS = { ttl: '5m', retryAfter: '1s', jitter: 0.05 } as const satisfies CacheOptions;

const KNOWN: ReadonlySet<string> = new Set<keyof CacheOptions>([
  'ttl',
  'tags',
  'grace',
  'staleIfError',
  'retryAfter',
  'softTimeout',
  'hardTimeout',
  'backgroundCompletion',
  'errorTtl',
  'negativeTtl',
  'jitter',
  'eager',
  'codec',
]);

/** What a timer can wait for, and more than a value should live. */
const LONGEST_MS = 366 * 86_400_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LONGEST_TAG_BYTES = 1_024;
/** Together with their versions they fit into an envelope. */
const MOST_TAGS = 64;

/** Turns options into plans: each object of options once. */
export class Plans {
  readonly #made = new WeakMap<CacheOptions, Plan>();
  readonly #plain: Plan;

  constructor(
    private readonly defaults: CacheOptions,
    private readonly codecs: Codecs,
  ) {
    this.#plain = this.#make({});
  }

  /** Whether values are loaded anew before they end also where a call does not say so. */
  get eager(): boolean {
    return this.#plain.eager !== undefined;
  }

  /** @throws InvalidCacheOptionsError that names every problem at once. */
  of(options: CacheOptions | undefined): Plan {
    if (options === undefined) return this.#plain;
    let plan = this.#made.get(options);
    if (plan === undefined) this.#made.set(options, (plan = this.#make(options)));
    return plan;
  }

  #make(own: CacheOptions): Plan {
    const problems: string[] = [];
    const named = new Set([...Object.keys(this.defaults), ...Object.keys(own)]);
    for (const name of named) if (!KNOWN.has(name)) problems.push(`there is no option \`${name}\``);
    const given: CacheOptions = { ...DEFAULTS, ...defined(this.defaults), ...defined(own) };
    const ms = (name: keyof CacheOptions, orZero = false, most = LONGEST_MS) =>
      milliseconds(name, given[name] as Duration | undefined, { orZero, most }, problems);
    const plan: Plan = {
      ttlMs: ms('ttl')!,
      tags: checkedTags(given.tags ?? [], problems),
      graceMs: ms('grace', true) ?? 0,
      serveStale: staleRule(given.staleIfError, problems),
      retryAfterMs: ms('retryAfter')!,
      softTimeoutMs: ms('softTimeout', true, LONGEST_TIMER_MS),
      hardTimeoutMs: ms('hardTimeout', false, LONGEST_TIMER_MS),
      backgroundCompletion: given.backgroundCompletion,
      errorTtlMs: ms('errorTtl', true) ?? 0,
      negativeTtlMs: ms('negativeTtl'),
      jitter: given.jitter!,
      eager: eagerness(given.eager, problems),
      codec: this.#codec(given, problems),
    };
    if (!(typeof plan.jitter === 'number' && plan.jitter >= 0 && plan.jitter <= 1)) {
      problems.push(`expected \`jitter\` to be a number from 0 to 1, got ${show(plan.jitter)}`);
    }
    if (problems.length > 0) throw new InvalidCacheOptionsError(problems);
    return plan;
  }

  #codec({ codec = 'json' }: CacheOptions, problems: string[]): Codec {
    const valid =
      codec === 'json' ||
      codec === 'v8' ||
      (typeof codec === 'object' && Number.isInteger(codec?.id) && codec.id > 15 && codec.id < 256);
    if (valid) return this.codecs.choose(codec);
    problems.push(`expected \`codec\` to be json, v8 or a Codec with an \`id\` from 16 to 255, got ${show(codec)}`);
    return this.codecs.choose();
  }
}

/** Milliseconds rounded up; a problem for what is no duration. */
export function milliseconds(
  name: string,
  value: Duration | undefined,
  { orZero, most }: { readonly orZero: boolean; readonly most: number },
  problems: string[],
): number | undefined {
  if (value === undefined || (orZero && value === 0)) return value as 0 | undefined;
  try {
    const ms = toMs(typeof value === 'number' && Number.isFinite(value) ? Math.ceil(value) : value);
    if (ms > most)
      problems.push(`expected \`${name}\` to be at most ${Math.floor(most / 86_400_000)} days, got ${show(value)}`);
    return ms;
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
    return NaN;
  }
}

/** @throws InvalidCacheOptionsError for what is no lifetime. */
export function checkTtl(ttl: Duration): number {
  const problems: string[] = [];
  const ms = milliseconds('ttl', ttl, { orZero: false, most: LONGEST_MS }, problems);
  if (ms === undefined) problems.push(`expected a \`ttl\`, got ${show(ttl)}`);
  if (problems.length > 0) throw new InvalidCacheOptionsError(problems);
  return ms!;
}

/** @throws InvalidCacheOptionsError for what is no tag. */
export function checkTags(tags: readonly string[]): readonly string[] {
  const problems: string[] = [];
  const checked = checkedTags(tags, problems);
  if (problems.length > 0) throw new InvalidCacheOptionsError(problems);
  return checked;
}

function checkedTags(tags: readonly string[], problems: string[]): readonly string[] {
  if (!Array.isArray(tags) || new Set(tags).size > MOST_TAGS) {
    problems.push(`expected \`tags\` to be a list of at most ${MOST_TAGS}, got ${show(tags)}`);
    return [];
  }
  for (const tag of tags as readonly unknown[]) {
    if (typeof tag !== 'string' || tag === '' || tag.length > LONGEST_TAG_BYTES / 4) {
      problems.push(`expected each tag to be a text of 1 to ${LONGEST_TAG_BYTES / 4} characters, got ${show(tag)}`);
    }
  }
  return [...new Set(tags)];
}

function staleRule(rule: CacheOptions['staleIfError'], problems: string[]): (error: unknown) => boolean {
  if (rule === undefined || rule === true) return () => true;
  if (rule === false) return () => false;
  if (typeof rule === 'function') return rule;
  problems.push(`expected \`staleIfError\` to be true, false or a function, got ${show(rule)}`);
  return () => true;
}

function eagerness(eager: CacheOptions['eager'], problems: string[]): Eager | undefined {
  if (eager === undefined) return undefined;
  if (typeof eager === 'number' && eager > 0 && eager < 1) return { share: eager };
  if (typeof eager === 'object' && typeof eager?.beta === 'number' && eager.beta > 0 && eager.beta <= 100) return eager;
  problems.push(`expected \`eager\` to be between 0 and 1, or { beta } from above 0 to 100, got ${show(eager)}`);
  return undefined;
}
