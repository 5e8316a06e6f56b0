import { RoostError } from '@roost/redis';

/** The server refuses everybody: connection exceptions, shut down, crashed, starting, read-only after a failover. */
const LOST = /^(?:08|57P0|25006)/;
/** It had no connection left, which passes. */
const FULL = /^53/;
const NETWORK = /^(?:E[A-Z]{3,}|EAI_[A-Z]+)$/;
/** node-postgres tells only in words of a connection that broke, or that was not made or did not answer in time. */
const BROKEN =
  /^(?:Connection terminated|Connection ended|Client (?:has encountered|was closed)|timeout expired|Query read timeout)/;

/** The pool had no connection left to lend, which passes as well. */
const BUSY = /^timeout exceeded when trying to connect/;

/** What keeps somebody from Postgres, behind an error: a word, such as an SQLSTATE; undefined when it is a mistake. */
export function outageOf(error: unknown): string | undefined {
  if (error instanceof OutageError) return error.reason;
  // The application opens its own PGlite, and may have to wait for its folder.
  if (error instanceof RoostError && error.retryAfterMs !== undefined) return 'unavailable';
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const word = typeof code === 'string' ? code : '';
  if (LOST.test(word) || FULL.test(word) || NETWORK.test(word)) return word;
  const text = String(message);
  if (BUSY.test(text)) return 'busy';
  if (text === 'PGlite is closed') return 'closed';
  if (!BROKEN.test(text)) return undefined;
  return /timeout/i.test(text) ? 'timeout' : 'connection_lost';
}

/** Whether everybody is concerned, and not only who asked now. */
export function isLost(reason: string): boolean {
  return reason !== 'busy' && !FULL.test(reason);
}

/** What a pool rejects with while Postgres cannot be reached, or when it was lost meanwhile. */
export class OutageError extends Error {
  override readonly name = 'OutageError';
  readonly code = 'database_outage';

  constructor(
    /** One word, such as an SQLSTATE. */
    readonly reason: string,
    /** Whether the statement had been sent: then it may have been run. */
    readonly sent: boolean,
    options?: { cause?: unknown },
  ) {
    super(`Postgres cannot be reached: ${reason}`, options);
  }
}
