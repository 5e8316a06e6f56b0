import { defined, InvalidOptionsError, show, type Duration } from '@roost/redis';
import type { QueueDatabase } from './database/queue-database.js';
import { mergedOptions, problemsOfDefaults } from './jobs/job.check.js';
import { JOB_DEFAULTS, type JobOptions } from './jobs/job.options.js';
import { isSchema } from './jobs/standard-schema.js';
import { SystemQueueClock, type QueueClock } from './memory/queue-clock.js';
import { durationIn, flagIn, integerIn, isText, LONGEST_TIMER_MS, objectIn, textIn } from './options.check.js';
import type { KeyLimitOptions, QueueBackend, QueueModuleOptions, QueueOptions, RateOptions } from './queue.options.js';
import type { QueueStoreName } from './stores/queue.store.js';

const DEFAULTS = {
  backend: 'auto',
  connection: 'default',
  workers: true,
  drainTimeout: '10s',
  enqueueTimeout: '1s',
  durability: 'warn',
  production: false,
} as const satisfies QueueModuleOptions;
const KNOWN = new Set([...Object.keys(DEFAULTS), 'database', 'defaults', 'clock']);
const DATABASES = ['url', 'pool', 'pglite', 'folder'] as const;
const KNOWN_OF_DATABASE = new Set([...DATABASES, 'forgetful']);
const STORES: readonly string[] = ['redis', 'postgres', 'embedded', 'memory'] satisfies QueueStoreName[];

/** The module's options with nothing left open; also the DI token for them. */
export class QueueConfig {
  readonly backend: QueueBackend;
  readonly connection: string;
  readonly database: QueueDatabase | undefined;
  readonly defaults: JobOptions;
  readonly workers: boolean;
  readonly drainMs: number;
  readonly enqueueMs: number;
  readonly durability: 'warn' | 'aof';
  readonly production: boolean;
  readonly clock: QueueClock;

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(options: QueueModuleOptions) {
    const problems: string[] = [];
    const given = { ...DEFAULTS, ...defined(objectIn(undefined, options, KNOWN, problems) ?? {}) };
    this.backend = given.backend;
    this.connection = given.connection;
    this.database = databaseOf(given.database, problems);
    this.defaults = defaultsOf(JOB_DEFAULTS, given.defaults, problems);
    this.workers = given.workers;
    this.drainMs = ms('drainTimeout', given.drainTimeout, problems);
    this.enqueueMs = ms('enqueueTimeout', given.enqueueTimeout, problems);
    this.durability = given.durability;
    this.production = given.production;
    this.clock = given.clock ?? new SystemQueueClock();
    textIn('connection', this.connection, problems);
    flagIn('workers', this.workers, problems);
    flagIn('production', this.production, problems);
    if (typeof this.clock.now !== 'function') {
      problems.push(`Expected \`clock\` to be a clock of a queue, got ${show(this.clock)}`);
    }
    if (this.backend !== 'auto' && !STORES.includes(this.backend)) {
      problems.push(`Expected \`backend\` (QUEUE_BACKEND) to be auto, ${STORES.join(', ')}, got ${show(this.backend)}`);
    }
    if (this.durability !== 'warn' && this.durability !== 'aof') {
      problems.push(`Expected \`durability\` to be warn or aof, got ${show(this.durability)}`);
    }
    if (problems.length > 0) throw new InvalidOptionsError('QueueModule', problems);
  }
}

/** The options of one queue with nothing left open. */
export interface ResolvedQueue {
  readonly name: string;
  readonly backend: QueueStoreName | undefined;
  readonly defaults: JobOptions;
  readonly jobs: QueueOptions['jobs'];
  readonly concurrency: number;
  readonly perKey: { concurrency?: number; rate?: { max: number; windowMs: number } } | undefined;
  readonly limiter: { max: number; duration: number } | undefined;
  readonly lockMs: number;
  readonly stalledMs: number;
  readonly maxStalledCount: number;
  readonly maxDataBytes: number;
  readonly fairnessEvery: number;
}

const QUEUE_DEFAULTS = {
  concurrency: 8,
  lockDuration: '30s',
  stalledInterval: '15s',
  maxStalledCount: 3,
  maxDataBytes: 1_000_000,
  fairnessEvery: 10,
} as const satisfies QueueOptions;
const KNOWN_OF_QUEUE = new Set([...Object.keys(QUEUE_DEFAULTS), 'backend', 'defaults', 'jobs', 'perKey', 'rate']);
/** A lock is renewed while its job runs: one that is shorter would be lost on the way to the store. */
const LEAST_LOCK_MS = 100;
const KNOWN_OF_KEY = new Set(['concurrency', 'rate'] satisfies (keyof KeyLimitOptions)[]);
const KNOWN_OF_RATE = new Set(['max', 'window'] satisfies (keyof RateOptions)[]);

/** @throws InvalidOptionsError that names every problem at once. */
export function resolveQueue(name: string, options: QueueOptions, inherited: JobOptions): ResolvedQueue {
  const problems: string[] = [];
  const given = { ...QUEUE_DEFAULTS, ...defined(objectIn(undefined, options, KNOWN_OF_QUEUE, problems) ?? {}) };
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    problems.push(`Expected the name of a queue to be 1 to 64 letters, digits and _ . -, got ${show(name)}`);
  }
  if (given.backend !== undefined && !STORES.includes(given.backend)) {
    problems.push(`Expected \`backend\` to be ${STORES.join(', ')}, got ${show(given.backend)}`);
  }
  const least = { concurrency: 1, maxStalledCount: 0, maxDataBytes: 1, fairnessEvery: 1 } as const;
  for (const [each, min] of Object.entries(least)) integerIn(each, given[each as keyof typeof least], min, problems);
  if (given.jobs !== undefined) checkJobs(given.jobs, problems);
  const rate = rateOf('rate', given.rate, problems);
  const resolved: ResolvedQueue = {
    name,
    backend: given.backend,
    defaults: defaultsOf(inherited, given.defaults, problems),
    jobs: given.jobs,
    concurrency: given.concurrency,
    perKey: perKeyOf(given.perKey, problems),
    limiter: rate && { max: rate.max, duration: rate.windowMs },
    lockMs: ms('lockDuration', given.lockDuration, problems, LEAST_LOCK_MS),
    stalledMs: ms('stalledInterval', given.stalledInterval, problems, LEAST_LOCK_MS),
    maxStalledCount: given.maxStalledCount,
    maxDataBytes: given.maxDataBytes,
    fairnessEvery: given.fairnessEvery,
  };
  if (problems.length > 0) throw new InvalidOptionsError(`QueueModule.registerQueue(${show(name)})`, problems);
  return resolved;
}

function databaseOf(given: QueueDatabase | undefined, problems: string[]): QueueDatabase | undefined {
  const database = given === undefined ? undefined : objectIn('database', given, KNOWN_OF_DATABASE, problems);
  if (database === undefined) return undefined;
  const named = defined(database); // others ask which names are there
  const kinds = DATABASES.filter((kind) => kind in named);
  if (kinds.length !== 1) {
    problems.push(`Expected \`database\` to have one of ${DATABASES.join(', ')}, got ${kinds.join(' and ') || 'none'}`);
  }
  return named;
}

function defaultsOf(inherited: JobOptions, given: JobOptions | undefined, problems: string[]): JobOptions {
  if (given === undefined) return inherited;
  const wrong = problemsOfDefaults(given);
  problems.push(...wrong);
  return wrong.length > 0 ? inherited : mergedOptions(inherited, given);
}

function checkJobs(jobs: NonNullable<QueueOptions['jobs']>, problems: string[]): void {
  for (const [name, schema] of Object.entries(objectIn('jobs', jobs, undefined, problems) ?? {})) {
    if (!isText(name)) problems.push(`Expected each of \`jobs\` to have a name, got ${show(name)}`);
    if (schema === true || isSchema(schema)) continue;
    problems.push(
      `Expected \`jobs.${name}\` to be true or a schema that follows Standard Schema (zod, valibot, arktype), got ${show(schema)}`,
    );
  }
}

function perKeyOf(given: KeyLimitOptions | undefined, problems: string[]): ResolvedQueue['perKey'] {
  const perKey = given === undefined ? undefined : objectIn('perKey', given, KNOWN_OF_KEY, problems);
  if (perKey === undefined) return undefined;
  const { concurrency } = perKey;
  if (concurrency !== undefined) integerIn('perKey.concurrency', concurrency, 1, problems);
  const rate = rateOf('perKey.rate', perKey.rate, problems);
  return { ...(concurrency !== undefined && { concurrency }), ...(rate && { rate }) };
}

function rateOf(name: string, given: RateOptions | undefined, problems: string[]) {
  const rate = given === undefined ? undefined : objectIn(name, given, KNOWN_OF_RATE, problems);
  if (rate === undefined) return undefined;
  integerIn(`${name}.max`, rate.max, 1, problems);
  if (rate.window === undefined) problems.push(`Expected \`${name}.window\``);
  return { max: rate.max, windowMs: ms(`${name}.window`, rate.window, problems) };
}

/** One that cannot be meant has its problem. */
function ms(name: string, value: Duration, problems: string[], least = 0): number {
  const given = durationIn(name, value, problems, LONGEST_TIMER_MS);
  if (given !== undefined && given < least)
    problems.push(`Expected \`${name}\` to be at least ${least} ms, got ${given} ms`);
  return given ?? 1;
}
