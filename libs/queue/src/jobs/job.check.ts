import { defined, show, toMs, type Duration } from '@roost/redis';
import type { JobsOptions } from 'bullmq';
import { InvalidJobError, UnknownJobOptionError } from '../queue.errors.js';
import type { BackoffOptions, DeduplicationOptions, JobOptions } from './job.options.js';

/** What BullMQ keeps of a job beside its own options; on every store, under one name. */
interface RoostJobOptions {
  readonly timeoutMs?: number;
  /** Unix time in ms. */
  readonly expiresAt?: number;
  readonly key?: string;
  /** Tells this job from another that was added under the same id before. */
  readonly nonce?: string;
}

/** BullMQ's options, and ours among them. */
export type StoredJobOptions = JobsOptions & { readonly roost?: RoostJobOptions };

const MAX_PRIORITY = 2_097_151;
/** A timer of Node that is set for longer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const WORDS = { high: 0, normal: 10, low: 100 } as const;
// prettier-ignore
const NAMES = [
  'id', 'priority', 'lifo', 'delay', 'attempts', 'backoff', 'timeout', 'expiresAt', 'expiresIn',
  'key', 'deduplication', 'keepResult', 'keepFailed',
] as const satisfies readonly (keyof JobOptions)[];
const KNOWN: ReadonlySet<string> = new Set(NAMES);
const KNOWN_DEDUPLICATION = new Set(['id', 'ttl', 'extend', 'replace', 'keepLastIfActive']);
const KNOWN_BACKOFF = new Set(['type', 'delay', 'jitter']);

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
 * @throws UnknownJobOptionError for one that does not exist, InvalidJobError for values that cannot be meant.
 */
export function storedOptions(options: JobOptions, now: number): StoredJobOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw new UnknownJobOptionError(name, HINTS[name] ?? `There are ${[...KNOWN].join(', ')}.`);
  }
  const problems: string[] = [];
  const stored = compile(options, now, problems);
  if (problems.length > 0) throw new InvalidJobError(problems);
  return stored;
}

/** Whether what is stored of the options does not depend on when the job is added. */
export function areTimeless({ expiresAt, expiresIn, delay }: JobOptions): boolean {
  return expiresAt === undefined && expiresIn === undefined && !(delay instanceof Date);
}

function compile(options: JobOptions, now: number, problems: string[]): StoredJobOptions {
  const { id, attempts, lifo, key } = options;
  const ms = (name: keyof JobOptions, value: Duration | undefined) => duration(name, value, problems);
  if (id !== undefined) checkId(id, problems);
  if (attempts !== undefined && !(Number.isSafeInteger(attempts) && attempts > 0)) {
    problems.push(`Expected \`attempts\` to be a positive integer, got ${show(attempts)}`);
  }
  if (key !== undefined && (typeof key !== 'string' || key === '')) {
    problems.push(`Expected \`key\` to be a text, got ${show(key)}`);
  }
  const timeoutMs = ms('timeout', options.timeout);
  if (timeoutMs !== undefined && timeoutMs > MAX_TIMER_MS) problems.push('Expected `timeout` to be at most 24 days');
  const roost = defined({
    timeoutMs,
    expiresAt: expiryOf(options, now, problems),
    key,
  });
  const keepFailedMs = ms('keepFailed', options.keepFailed);
  const keepResultMs = options.keepResult === 0 ? 0 : ms('keepResult', options.keepResult);
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
  const usable = typeof id === 'string' && id !== '' && id.length <= 256 && `${parseInt(id, 10)}` !== id;
  if (!usable || id.includes(':') || id.includes('\u0000')) {
    problems.push(
      `Expected \`id\` to be a text of 1 to 256 characters, not all digits, without colons, got ${show(id)}`,
    );
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
  return delay === 0 ? undefined : duration('delay', delay, problems);
}

function expiryOf({ expiresAt, expiresIn }: JobOptions, now: number, problems: string[]): number | undefined {
  if (expiresAt !== undefined && expiresIn !== undefined)
    problems.push('Expected `expiresAt` or `expiresIn`, got both');
  if (expiresAt === undefined) {
    const inMs = duration('expiresIn', expiresIn, problems);
    return inMs === undefined ? undefined : now + inMs;
  }
  if (expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime())) return expiresAt.getTime();
  problems.push(`Expected \`expiresAt\` to be a Date, got ${show(expiresAt)}`);
  return undefined;
}

function backoffOf(backoff: JobOptions['backoff'], problems: string[]): JobsOptions['backoff'] {
  if (backoff === undefined) return undefined;
  if (typeof backoff !== 'object') {
    const delay = duration('backoff', backoff, problems);
    return delay === undefined ? undefined : { type: 'fixed', delay };
  }
  const { type, delay, jitter } = backoff satisfies BackoffOptions;
  unknownIn('backoff', backoff, KNOWN_BACKOFF, problems);
  if (type !== 'fixed' && type !== 'exponential') {
    problems.push(`Expected \`backoff.type\` to be fixed or exponential, got ${show(type)}`);
  }
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) {
    problems.push(`Expected \`backoff.jitter\` to be a number from 0 to 1, got ${show(jitter)}`);
  }
  const delayMs = duration('backoff.delay', delay, problems);
  if (delayMs === undefined) {
    if (delay === undefined) problems.push('Expected `backoff.delay`');
    return undefined;
  }
  return { type, delay: delayMs, ...(jitter !== undefined && { jitter }) };
}

function deduplicationOf(given: DeduplicationOptions | undefined, problems: string[]): JobsOptions['deduplication'] {
  if (given === undefined) return undefined;
  unknownIn('deduplication', given, KNOWN_DEDUPLICATION, problems);
  if (typeof given.id !== 'string' || given.id === '') {
    problems.push(`Expected \`deduplication.id\` to be a text, got ${show(given.id)}`);
  }
  return { ...defined({ ...given, ttl: duration('deduplication.ttl', given.ttl, problems) }) } as { id: string };
}

function keepFor(ms: number | undefined): { age: number } | undefined {
  return ms === undefined ? undefined : { age: Math.max(1, Math.ceil(ms / 1_000)) };
}

function duration(name: string, value: Duration | undefined, problems: string[]): number | undefined {
  if (value === undefined) return undefined;
  try {
    return toMs(value);
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
    return undefined;
  }
}

function unknownIn(name: string, given: object, known: ReadonlySet<string>, problems: string[]): void {
  for (const each of Object.keys(given)) {
    if (!known.has(each)) problems.push(`There is no \`${name}.${each}\`; there are ${[...known].join(', ')}`);
  }
}
