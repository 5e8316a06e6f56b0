import { isRedisUnavailable, show, type Commands, type RedisConnections } from '@roost/redis';
import { InvalidStreamMessageError, QueueUnavailableError } from '../queue.errors.js';

/** The fields of a message, as texts or numbers. */
export type StreamFields = Readonly<Record<string, string | number>>;

export interface StreamAddOptions {
  /**
   * About how many messages the stream keeps: older ones are trimmed, and among them those that nobody has handled yet.
   * A consumer that deletes what it has handled keeps the stream small without. @default no limit
   */
  readonly maxLen?: number;
  /** The connection of `RedisModule`. @default that of `QueueModule` */
  readonly connection?: string;
}

/** What a producer is made of. */
export interface JobStreamsParts {
  readonly connections: Pick<RedisConnections, 'get'>;
  /** The connection of calls that name none. @default 'default' */
  readonly connection?: string;
}

/** Commands of one write, so that nobody else waits long. */
const AT_ONCE = 500;

/** Adds messages to Redis streams, whose names are used as they are. */
export class JobStreams {
  constructor(private readonly parts: JobStreamsParts) {}

  /**
   * Adds a message and resolves to its id. Rejects within the deadline of the connection when Redis is not there.
   * @throws InvalidStreamMessageError, QueueUnavailableError
   */
  async add(stream: string, fields: StreamFields, options: StreamAddOptions = {}): Promise<string> {
    const args = argumentsOf(stream, fields, options);
    try {
      return await this.#commands(options).write<string>('XADD', ...args);
    } catch (error) {
      throw unavailable(stream, error);
    }
  }

  /**
   * Adds messages in order, not atomically: when it rejects, some may have been added.
   * @throws InvalidStreamMessageError before any is added, QueueUnavailableError
   */
  async addMany(stream: string, messages: readonly StreamFields[], options: StreamAddOptions = {}): Promise<string[]> {
    const commands = messages.map((fields) => ['XADD', ...argumentsOf(stream, fields, options)] as const);
    const ids: string[] = [];
    for (let i = 0; i < commands.length; i += AT_ONCE) {
      const replies = await this.#commands(options).pipeline('write', commands.slice(i, i + AT_ONCE));
      const failed = replies.find((each) => each instanceof Error);
      if (failed !== undefined) throw unavailable(stream, failed, true);
      ids.push(...(replies as string[]));
    }
    return ids;
  }

  #commands({ connection = this.parts.connection }: StreamAddOptions): Commands {
    return this.parts.connections.get(connection).backend.commands;
  }
}

function argumentsOf(stream: string, fields: StreamFields, { maxLen }: StreamAddOptions): (string | number)[] {
  const problems: string[] = [];
  if (typeof stream !== 'string' || stream === '')
    problems.push(`expected the stream to be a text, got ${show(stream)}`);
  if (maxLen !== undefined && !(Number.isSafeInteger(maxLen) && maxLen > 0)) {
    problems.push(`expected \`maxLen\` to be a positive integer, got ${show(maxLen)}`);
  }
  const pairs = typeof fields === 'object' && fields !== null ? Object.entries(fields) : [];
  if (pairs.length === 0) problems.push(`expected an object with at least one field, got ${show(fields)}`);
  for (const [name, value] of pairs) {
    if (typeof value !== 'string' && !Number.isFinite(value)) {
      problems.push(`expected field \`${name}\` to be a text or a number, got ${show(value)}`);
    }
  }
  if (problems.length > 0) throw new InvalidStreamMessageError(problems);
  return [stream, ...(maxLen === undefined ? [] : ['MAXLEN', '~', maxLen]), '*', ...pairs.flat()];
}

function unavailable(stream: string, error: unknown, someMayBeAdded = false): unknown {
  if (!isRedisUnavailable(error)) return error;
  return new QueueUnavailableError(stream, error.message, someMayBeAdded || error.outcomeUnknown, { cause: error });
}
