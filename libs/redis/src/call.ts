import type { Command } from 'ioredis';
import type { Deadlines, Expiring } from './deadlines.js';
import { classifyError, safeMessage, type ErrorClass } from './error-class.js';
import { RedisReplyError, RedisTimeoutError, RedisUnavailableError } from './redis.errors.js';

export type Direction = 'read' | 'write';

/** Who is told how a call ended. */
export interface CallObserver {
  settled(call: Call, failure?: ErrorClass, message?: string): void;
}

/**
 * One command under way: settled once, by its reply, an error or its deadline. It takes over the two functions by which
 * the client settles a command, which saves a promise and a turn for each.
 */
export class Call implements Expiring {
  endsAt = 0;
  before: Expiring | undefined;
  after: Expiring | undefined;
  #settled = false;
  readonly #reject: (error: Error) => void;

  constructor(
    command: Command,
    readonly direction: Direction,
    /** The command's or the script's name. */
    readonly label: string,
    private readonly written: boolean,
    private readonly deadlines: Deadlines,
    private readonly observer: CallObserver,
    /** Earlier than now for a second try, which has only what is left of the first one's time. */
    readonly startedAt: number,
  ) {
    const { resolve, reject } = command;
    this.#reject = reject;
    command.resolve = (reply) => {
      if (!this.#settle()) return;
      command.reject = reject; // a reply that the client cannot read must settle the call all the same
      observer.settled(this);
      resolve(reply);
    };
    command.reject = (error) => {
      if (this.#settle()) this.#fail(error);
    };
    deadlines.start(this, this.startedAt);
  }

  expire(): void {
    this.#settled = true;
    const error = new RedisTimeoutError(this.label, this.deadlines.timeoutMs);
    this.observer.settled(this, 'timeout', error.message);
    this.#reject(error);
  }

  /** Whether this is how the call ends: what comes after the deadline is too late. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.deadlines.stop(this);
    return (this.#settled = true);
  }

  #fail(cause: Error): void {
    const failure = classifyError(cause);
    const error = this.#errorOf(cause, failure);
    if (cause.message.startsWith('NOSCRIPT')) this.observer.settled(this);
    else this.observer.settled(this, failure, error.message);
    this.#reject(error);
  }

  /** A client's error carries the command with its arguments, which may be secrets: only its message goes on. */
  #errorOf(cause: Error, failure: ErrorClass): Error {
    const message = safeMessage(cause);
    if (failure === 'bug') return new RedisReplyError(message);
    const outcomeUnknown = this.written && cause.name !== 'ReplyError';
    return new RedisUnavailableError(failure, `Redis cannot serve ${this.label}: ${message}`, outcomeUnknown);
  }
}
