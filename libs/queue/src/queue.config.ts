import { defined, InvalidOptionsError, show, toMs, type Duration } from '@roost/redis';
import type { QueueDatabase } from './database/queue-database.js';
import { storedOptions } from './jobs/job.check.js';
import { JOB_DEFAULTS, type JobOptions } from './jobs/job.options.js';
import { SystemQueueClock, type QueueClock } from './memory/queue-clock.js';
import type { QueueBackend, QueueModuleOptions, QueueOptions } from './queue.options.js';
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
    const problems = unknown(options, KNOWN);
    const given = { ...DEFAULTS, ...defined(options) };
    this.backend = given.backend;
    this.connection = given.connection;
    this.database = given.database;
    this.defaults = { ...JOB_DEFAULTS, ...given.defaults };
    this.workers = given.workers;
    this.drainMs = ms('drainTimeout', given.drainTimeout, problems);
    this.enqueueMs = ms('enqueueTimeout', given.enqueueTimeout, problems);
    this.durability = given.durability;
    this.production = given.production;
    this.clock = given.clock ?? new SystemQueueClock();
    if (this.backend !== 'auto' && !STORES.includes(this.backend)) {
      problems.push(`Expected \`backend\` (QUEUE_BACKEND) to be auto, ${STORES.join(', ')}, got ${show(this.backend)}`);
    }
    if (this.durability !== 'warn' && this.durability !== 'aof') {
      problems.push(`Expected \`durability\` to be warn or aof, got ${show(this.durability)}`);
    }
    problems.push(...problemsOfDefaults(this.defaults));
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

/** @throws InvalidOptionsError that names every problem at once. */
export function resolveQueue(name: string, options: QueueOptions, inherited: JobOptions): ResolvedQueue {
  const problems = unknown(options, KNOWN_OF_QUEUE);
  const given = { ...QUEUE_DEFAULTS, ...defined(options) };
  if (!/^[\w.-]{1,64}$/.test(name)) {
    problems.push(`Expected the name of a queue to be 1 to 64 letters, digits and _ . -, got ${show(name)}`);
  }
  if (given.backend !== undefined && !STORES.includes(given.backend)) {
    problems.push(`Expected \`backend\` to be ${STORES.join(', ')}, got ${show(given.backend)}`);
  }
  const least = { concurrency: 1, maxStalledCount: 0, maxDataBytes: 1, fairnessEvery: 1 } as const;
  for (const [each, min] of Object.entries(least)) {
    const value: unknown = given[each as keyof typeof least];
    if (!Number.isSafeInteger(value) || (value as number) < min) {
      problems.push(`Expected \`${each}\` to be an integer from ${min}, got ${show(value)}`);
    }
  }
  const perKeyConcurrency = given.perKey?.concurrency;
  if (perKeyConcurrency !== undefined && !(Number.isSafeInteger(perKeyConcurrency) && perKeyConcurrency > 0)) {
    problems.push(`Expected \`perKey.concurrency\` to be a positive integer, got ${show(perKeyConcurrency)}`);
  }
  const rate = rateOf('rate', given.rate, problems);
  const keyRate = rateOf('perKey.rate', given.perKey?.rate, problems);
  const defaults = { ...inherited, ...given.defaults };
  problems.push(...problemsOfDefaults(defaults));
  const resolved: ResolvedQueue = {
    name,
    backend: given.backend,
    defaults,
    jobs: given.jobs,
    concurrency: given.concurrency,
    perKey: given.perKey && {
      ...(perKeyConcurrency !== undefined && { concurrency: perKeyConcurrency }),
      ...(keyRate && { rate: keyRate }),
    },
    limiter: rate && { max: rate.max, duration: rate.windowMs },
    lockMs: ms('lockDuration', given.lockDuration, problems),
    stalledMs: ms('stalledInterval', given.stalledInterval, problems),
    maxStalledCount: given.maxStalledCount,
    maxDataBytes: given.maxDataBytes,
    fairnessEvery: given.fairnessEvery,
  };
  if (problems.length > 0) throw new InvalidOptionsError(`QueueModule.registerQueue(${show(name)})`, problems);
  return resolved;
}

function rateOf(name: string, rate: QueueOptions['rate'], problems: string[]) {
  if (rate === undefined) return undefined;
  if (!Number.isSafeInteger(rate.max) || rate.max < 1) {
    problems.push(`Expected \`${name}.max\` to be a positive integer, got ${show(rate.max)}`);
  }
  return { max: rate.max, windowMs: ms(`${name}.window`, rate.window, problems) };
}

function problemsOfDefaults(defaults: JobOptions): string[] {
  try {
    storedOptions(defaults, Date.now());
    return [];
  } catch (error) {
    return [`\`defaults\`: ${(error as Error).message}`];
  }
}

function unknown(options: object, known: ReadonlySet<string>): string[] {
  return Object.keys(options)
    .filter((name) => !known.has(name))
    .map((name) => `There is no option \`${name}\`; there are ${[...known].join(', ')}`);
}

function ms(name: string, value: Duration, problems: string[]): number {
  try {
    const given = toMs(value);
    if (given > 2 ** 31 - 1) problems.push(`Expected \`${name}\` to be at most 24 days`);
    return given;
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
    return 1;
  }
}
