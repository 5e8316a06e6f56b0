import { defined, show } from '@roost/redis';
import { QueueKeys, type Job, type JobsOptions } from 'bullmq';
import { durationIn, flagIn, integerIn, isText, LONGEST_TIMER_MS, objectIn, textIn } from '../options.check.js';
import { InvalidJobError, UnknownJobOptionError } from '../queue.errors.js';
import type { DeduplicationOptions, JobOptions } from './job.options.js';

/** What BullMQ keeps of a job beside its own options; on every store, under one name. */
interface RoostJobOptions {
  readonly timeoutMs?: number;
  /** Unix time in ms. */
  readonly expiresAt?: number;
  /** Counted from when the job could start for the first time. */
  readonly expiresInMs?: number;
  readonly key?: string;
  /** Tells this job from another that was added under the same id before. */
  readonly nonce?: string;
}

/** BullMQ's options, and ours among them. */
export type StoredJobOptions = JobsOptions & { readonly roost?: RoostJobOptions };

const MAX_PRIORITY = 2_097_151;
const WORDS = { high: 0, normal: 10, low: 100 } as const;
// prettier-ignore
const NAMES = [
  'id', 'priority', 'lifo', 'delay', 'attempts', 'backoff', 'timeout', 'expiresAt', 'expiresIn',
  'key', 'deduplication', 'keepResult', 'keepFailed',
] as const satisfies readonly (keyof JobOptions)[];
const KNOWN: ReadonlySet<string> = new Set(NAMES);
const KNOWN_DEDUPLICATION = new Set(['id', 'ttl', 'extend', 'replace', 'keepLastIfActive']);
const KNOWN_BACKOFF = new Set(['type', 'delay', 'jitter']);
/** What BullMQ keeps on Redis beside the jobs: one with such an id would take its place, or be taken for it. */
const TAKEN: ReadonlySet<string> = new Set(Object.keys(new QueueKeys('').getKeys('')));

/** What those who know BullMQ would write, and what is meant by it here. */
const HINTS: Readonly<Record<string, string>> = {
  repeat: 'Use `JobQueue.schedule(id, cron, name, data)`: BullMQ 6 would run the job once and say nothing.',
  debounce: 'Use `deduplication: { id, ttl }`.',
  jobId: 'Use `id`.',
  removeOnComplete: 'Use `keepResult`.',
  removeOnFail: 'Use `keepFailed`.',
};

/**
 * Options as BullMQ is given them, checked where they are written.
 * @param defaults what counts where the options say nothing.
 * @throws UnknownJobOptionError when one does not exist, InvalidJobError for values that cannot be meant; either names
 * every problem.
 */
export function storedOptions(options: JobOptions, now: number, defaults: JobOptions = {}): StoredJobOptions {
  const problems: string[] = [];
  const given = objectIn(undefined, options, undefined, problems) ?? {};
  const stored = compile(mergedOptions(defaults, given), now, problems);
  const [unknown, ...others] = Object.keys(given).filter((name) => !KNOWN.has(name));
  if (unknown !== undefined) {
    const further = others.map((name) => `There is no job option \`${name}\`. ${hintOf(name)}`);
    const hints = [hintOf(unknown), ...further, ...problems.map((problem) => `${problem}.`)];
    throw new UnknownJobOptionError(unknown, hints.join(' '));
  }
  if (problems.length > 0) throw new InvalidJobError(problems);
  return stored;
}

/** What is wrong with options that are to count for many jobs. */
export function problemsOfDefaults(defaults: JobOptions): readonly string[] {
  const problems: string[] = [];
  const given = objectIn('defaults', defaults, KNOWN, problems) ?? {};
  for (const name of ['id', 'expiresAt'] as const) {
    if (given[name] !== undefined) problems.push(`Expected \`defaults\` without \`${name}\`, which is one job's own`);
  }
  if (given.delay instanceof Date)
    problems.push("Expected `delay` of `defaults` to be no date, which is one job's own");
  const within: string[] = [];
  compile(given, 0, within);
  return [...problems, ...within.map((problem) => `\`defaults\`: ${problem}`)];
}

/** Options over defaults. When a job expires is one decision, however it is written. */
export function mergedOptions({ expiresAt, expiresIn, ...defaults }: JobOptions, options: JobOptions): JobOptions {
  const expires = options.expiresAt !== undefined || options.expiresIn !== undefined;
  return defined({ ...defaults, ...(!expires && { expiresAt, expiresIn }), ...defined(options) }) as JobOptions;
}

function hintOf(name: string): string {
  return HINTS[name] ?? `There are ${NAMES.join(', ')}.`;
}

function compile(options: JobOptions, now: number, problems: string[]): StoredJobOptions {
  const { id, attempts, lifo, key } = options;
  if (id !== undefined) checkId(id, problems);
  if (attempts !== undefined) integerIn('attempts', attempts, 1, problems);
  flagIn('lifo', lifo, problems);
  textIn('key', key, problems);
  const roost = defined({
    timeoutMs: durationIn('timeout', options.timeout, problems, LONGEST_TIMER_MS),
    expiresAt: expiryOf(options, problems),
    expiresInMs: durationIn('expiresIn', options.expiresIn, problems),
    key,
  });
  const keepFailedMs = durationIn('keepFailed', options.keepFailed, problems);
  const keepResultMs = options.keepResult === 0 ? 0 : durationIn('keepResult', options.keepResult, problems);
  return {
    ...defined({
      jobId: id,
      attempts,
      lifo,
      priority: priorityOf(options.priority, problems),
      delay: delayOf(options.delay, now, problems),
      backoff: backoffOf(options.backoff, problems),
      deduplication: deduplicationOf(options.deduplication, problems),
      removeOnComplete: keepResultMs === 0 || keepFor(keepResultMs),
      removeOnFail: keepFor(keepFailedMs),
    }),
    ...(Object.keys(roost).length > 0 && { roost }),
  };
}

/** BullMQ refuses these, or takes them for its own. */
function checkId(id: unknown, problems: string[]): void {
  const usable = isText(id) && id.length <= 256 && `${parseInt(id, 10)}` !== id && !id.includes(':');
  if (!usable) {
    problems.push(
      `Expected \`id\` to be a text of 1 to 256 characters, not all digits, without colons, got ${show(id)}`,
    );
  } else if (TAKEN.has(id)) {
    problems.push(`Expected another \`id\` than those that BullMQ takes for itself, got ${show(id)}`);
  }
}

function priorityOf(priority: JobOptions['priority'], problems: string[]): number | undefined {
  if (priority === undefined) return undefined;
  const value = typeof priority === 'string' ? WORDS[priority] : priority;
  if (Number.isSafeInteger(value) && value >= 0 && value <= MAX_PRIORITY) return value;
  problems.push(
    `Expected \`priority\` to be high, normal, low or an integer from 0 to ${MAX_PRIORITY}, got ${show(priority)}`,
  );
  return undefined;
}

function delayOf(delay: JobOptions['delay'], now: number, problems: string[]): number | undefined {
  if (delay instanceof Date) {
    if (!Number.isNaN(delay.getTime())) return Math.max(delay.getTime() - now, 0);
    problems.push('Expected `delay` to be a date that exists');
    return undefined;
  }
  return delay === 0 ? undefined : durationIn('delay', delay, problems);
}

function expiryOf({ expiresAt, expiresIn }: JobOptions, problems: string[]): number | undefined {
  if (expiresAt === undefined) return undefined;
  if (expiresIn !== undefined) problems.push('Expected `expiresAt` or `expiresIn`, got both');
  if (expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime())) return expiresAt.getTime();
  problems.push(`Expected \`expiresAt\` to be a Date, got ${show(expiresAt)}`);
  return undefined;
}

/** The Unix time in ms at which a job is not worth starting any more, if it has one. */
export function expiryOfJob({ opts, timestamp }: Pick<Job, 'opts' | 'timestamp'>): number | undefined {
  const { expiresAt, expiresInMs } = (opts as StoredJobOptions).roost ?? {};
  return expiresInMs === undefined ? expiresAt : timestamp + (opts.delay ?? 0) + expiresInMs;
}

function backoffOf(backoff: JobOptions['backoff'], problems: string[]): JobsOptions['backoff'] {
  if (backoff === undefined) return undefined;
  if (typeof backoff !== 'object') {
    const delay = durationIn('backoff', backoff, problems);
    return delay === undefined ? undefined : { type: 'fixed', delay };
  }
  const given = objectIn('backoff', backoff, KNOWN_BACKOFF, problems);
  if (given === undefined) return undefined;
  const { type, delay, jitter } = given;
  if (type !== 'fixed' && type !== 'exponential') {
    problems.push(`Expected \`backoff.type\` to be fixed or exponential, got ${show(type)}`);
  }
  if (jitter !== undefined && !(typeof jitter === 'number' && jitter >= 0 && jitter <= 1)) {
    problems.push(`Expected \`backoff.jitter\` to be a number from 0 to 1, got ${show(jitter)}`);
  }
  if (delay === undefined) problems.push('Expected `backoff.delay`');
  const delayMs = durationIn('backoff.delay', delay, problems);
  return delayMs === undefined ? undefined : { type, delay: delayMs, ...(jitter !== undefined && { jitter }) };
}

function deduplicationOf(given: DeduplicationOptions | undefined, problems: string[]): JobsOptions['deduplication'] {
  if (given === undefined || !objectIn('deduplication', given, KNOWN_DEDUPLICATION, problems)) return undefined;
  const { id, ttl, extend, replace, keepLastIfActive } = given;
  if (id === undefined) problems.push('Expected `deduplication.id`');
  textIn('deduplication.id', id, problems);
  flagIn('deduplication.extend', extend, problems);
  flagIn('deduplication.replace', replace, problems);
  flagIn('deduplication.keepLastIfActive', keepLastIfActive, problems);
  return defined({ ...given, ttl: durationIn('deduplication.ttl', ttl, problems) }) as { id: string };
}

function keepFor(ms: number | undefined): { age: number } | undefined {
  return ms === undefined ? undefined : { age: Math.max(1, Math.ceil(ms / 1_000)) };
}
