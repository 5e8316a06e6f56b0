import type { ErrorClass } from './error-class.js';

/** The base of every error of Roost: a stable `code`, and the HTTP status it stands for. */
export abstract class RoostError extends Error {
  static readonly code: string;
  readonly code: string;
  /** The status that an HTTP edge should answer with. */
  readonly httpStatus: number = 500;
  /** When trying again makes sense, in ms: becomes `Retry-After`. */
  readonly retryAfterMs?: number;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = new.target.code;
  }
}

/** Thrown at boot when options are wrong; names every problem at once. */
export class InvalidOptionsError extends RoostError {
  static override readonly code: string = 'options.invalid';

  constructor(
    readonly owner: string,
    readonly problems: readonly string[],
  ) {
    super(`${owner} cannot start:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** Thrown when a key is built from a part that is undefined, empty or not a string or number. */
export class InvalidKeyError extends RoostError {
  static override readonly code: string = 'redis.invalid-key';
}

/** Thrown when the keys of one script would live in different hash slots, which a Redis Cluster refuses. */
export class CrossSlotError extends RoostError {
  static override readonly code: string = 'redis.cross-slot';

  constructor(readonly script: string) {
    super(
      `The keys of script "${script}" do not share one hash slot. Give their definitions the same \`slot\` part or the same \`tag\`.`,
    );
  }
}

/** Thrown when Redis could not serve a command. When `outcomeUnknown`, the command may still have run or run later. */
export class RedisUnavailableError extends RoostError {
  static override readonly code: string = 'redis.unavailable';
  override readonly httpStatus: number = 503;
  override readonly retryAfterMs: number = 1_000;

  constructor(
    readonly errorClass: ErrorClass,
    message: string,
    readonly outcomeUnknown: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Thrown when Redis did not answer within the deadline. The command may still run: repeat only what is idempotent. */
export class RedisTimeoutError extends RedisUnavailableError {
  static override readonly code: string = 'redis.timeout';

  constructor(command: string, timeoutMs: number) {
    super('timeout', `Redis did not answer ${command} within ${timeoutMs} ms; it may still run.`, true);
  }
}

/** Thrown when Redis refuses a command as wrong (WRONGTYPE, a script error): a bug, never an outage. */
export class RedisReplyError extends RoostError {
  static override readonly code: string = 'redis.reply';
}

/** Thrown at boot when the backend is `redis` and Redis cannot be reached. */
export class RedisRequiredError extends RoostError {
  static override readonly code: string = 'redis.required';
}

/** Thrown when the raw client is used although no Redis is configured. */
export class RedisNotConfiguredError extends RoostError {
  static override readonly code: string = 'redis.not-configured';
  override readonly httpStatus: number = 503;

  constructor(connection: string) {
    super(`Redis connection "${connection}" has no \`url\`. Set one (REDIS_URL in the service) to use the raw client.`);
  }
}

/** Whether Redis could not serve, as opposed to a mistake in what it was asked. */
export function isRedisUnavailable(error: unknown): error is RedisUnavailableError {
  return error instanceof RedisUnavailableError;
}
