import { InvalidOptionsError, show, type Duration } from '@roost/redis';
import { isSchema, type StandardSchema } from '../jobs/standard-schema.js';
import { durationIn } from '../options.check.js';

/** How a method reads a stream. */
export interface StreamConsumerOptions {
  /** The consumer group: each message goes to one consumer of each group. */
  readonly group: string;
  /** How many messages one process handles at a time. @default 1 */
  readonly concurrency?: number;
  /** How many messages are read at once, at most: few where handlers are slow. @default 64 */
  readonly batch?: number;
  /** How often a message is handed to a handler, in whatever process, before it goes to the dead letters. @default 5 */
  readonly maxDeliveries?: number;
  /** For how long a process that has a message may give no sign of life before another one takes it over. @default '60s' */
  readonly minIdle?: Duration;
  /** How long until the first retry; doubled at each further one, up to a minute. @default '1s' */
  readonly backoff?: Duration;
  /** The stream of messages that were given up. @default `<stream>:dead` */
  readonly deadLetter?: string;
  /** About how many dead letters are kept. @default 100000 */
  readonly deadLetterMaxLen?: number;
  /** Where a new group begins: with all that is in the stream, or with what comes from then on. @default '0' */
  readonly from?: '0' | '$';
  /** Whether what was handled is deleted. Not done while the stream has another group, which may not have read it. @default true */
  readonly remove?: boolean;
  /** How long one handling may take: its signal is aborted then, and the delivery has failed. @default no limit */
  readonly timeout?: Duration;
  /** Checks the fields and makes `data` of them (zod, valibot, arktype: Standard Schema). What it refuses is a dead letter. */
  readonly schema?: StandardSchema;
  /** The connection of `RedisModule`. @default that of `QueueModule` */
  readonly connection?: string;
}

/** Options with all defaults; durations in ms. */
export interface ResolvedStreamConsumer {
  readonly stream: string;
  readonly group: string;
  readonly concurrency: number;
  readonly batch: number;
  readonly maxDeliveries: number;
  readonly minIdleMs: number;
  readonly backoffMs: number;
  readonly deadLetter: string;
  readonly deadLetterMaxLen: number;
  readonly from: '0' | '$';
  readonly remove: boolean;
  readonly timeoutMs: number | undefined;
  readonly schema: StandardSchema | undefined;
  readonly connection: string | undefined;
}

const KNOWN = new Set<string>([
  'group',
  'concurrency',
  'batch',
  'maxDeliveries',
  'minIdle',
  'backoff',
  'deadLetter',
  'deadLetterMaxLen',
  'from',
  'remove',
  'timeout',
  'schema',
  'connection',
] satisfies (keyof StreamConsumerOptions)[]);

/** What is shorter would keep Redis busy with nothing else. */
const SHORTEST_IDLE_MS = 100;

/** @throws InvalidOptionsError that names every problem. */
export function resolveStreamConsumer(stream: string, options: StreamConsumerOptions): ResolvedStreamConsumer {
  const problems: string[] = [];
  const given = checkedShape(stream, options, problems);
  const { deadLetter = `${stream}:dead`, from = '0', remove = true, timeout, schema, connection } = given;
  if (deadLetter === stream) problems.push('Expected `deadLetter` to be another stream than the one that is read');
  if (from !== '0' && from !== '$') problems.push(`Expected \`from\` to be '0' or '$', got ${show(from)}`);
  if (typeof remove !== 'boolean') problems.push(`Expected \`remove\` to be true or false, got ${show(remove)}`);
  if (schema !== undefined && !isSchema(schema)) {
    problems.push('Expected `schema` to be one of zod, valibot, arktype or another that follows Standard Schema');
  }
  const minIdleMs = milliseconds('minIdle', given.minIdle ?? '60s', problems);
  if (minIdleMs < SHORTEST_IDLE_MS) {
    problems.push(`Expected \`minIdle\` to be at least ${SHORTEST_IDLE_MS} ms, got ${show(given.minIdle)}`);
  }
  const resolved: ResolvedStreamConsumer = {
    stream,
    group: given.group,
    concurrency: positive('concurrency', given.concurrency ?? 1, problems),
    batch: positive('batch', given.batch ?? 64, problems),
    maxDeliveries: positive('maxDeliveries', given.maxDeliveries ?? 5, problems),
    minIdleMs,
    backoffMs: milliseconds('backoff', given.backoff ?? '1s', problems),
    deadLetter,
    deadLetterMaxLen: positive('deadLetterMaxLen', given.deadLetterMaxLen ?? 100_000, problems),
    from,
    remove,
    timeoutMs: timeout === undefined ? undefined : milliseconds('timeout', timeout, problems),
    schema,
    connection,
  };
  if (problems.length > 0) throw new InvalidOptionsError(`@StreamConsumer(${show(stream)})`, problems);
  return resolved;
}

/** The options, if they are any; which of them are unknown, and which texts are missing or empty. */
function checkedShape(stream: unknown, options: unknown, problems: string[]): StreamConsumerOptions {
  const isObject = typeof options === 'object' && options !== null;
  const given = (isObject ? options : {}) as StreamConsumerOptions;
  for (const name of Object.keys(given)) {
    if (!KNOWN.has(name)) problems.push(`There is no option \`${name}\`; there are ${[...KNOWN].join(', ')}`);
  }
  const { group, deadLetter, connection } = given;
  const texts = {
    stream,
    group,
    ...(deadLetter !== undefined && { deadLetter }),
    ...(connection !== undefined && { connection }),
  };
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value !== 'string' || value === '')
      problems.push(`Expected \`${name}\` to be a text, got ${show(value)}`);
  }
  return given;
}

function positive(name: string, value: number, problems: string[]): number {
  if (!Number.isSafeInteger(value) || value <= 0) {
    problems.push(`Expected \`${name}\` to be a positive integer, got ${show(value)}`);
  }
  return value;
}

/** One that cannot be meant has its problem. */
function milliseconds(name: string, value: Duration, problems: string[]): number {
  return durationIn(name, value, problems) ?? Infinity;
}
