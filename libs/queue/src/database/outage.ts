import { RoostError } from '@roost/redis';

/** The server refuses everybody: connection exceptions, shut down, crashed, starting, read-only after a failover. */
const LOST = /^(?:08|57P0|25006)/;
/** It had no room or time for this one: resources, conflicts, cancelled, locked, idle for too long. */
const REFUSED = /^(?:53|40001|40P01|57014|55P03|25P0[34])/;
const NETWORK = /^(?:E[A-Z]{3,}|EAI_[A-Z]+)$/;
/** node-postgres tells only in words of a connection that broke, or that was not made or did not answer in time. */
const BROKEN =
  /^(?:Connection terminated|Connection ended|Client (?:has encountered|was closed)|timeout expired|Query read timeout)/;
/** The same of a pool that has no connection left to lend. */
const EXHAUSTED = /^timeout exceeded when trying to connect/;

/** Why a Postgres could not serve. */
export interface PostgresFault {
  /** One word, such as an SQLSTATE. */
  readonly reason: string;
  /** Whether everybody is concerned, and not only who asked now. */
  readonly lost: boolean;
  /** Whether it is an error of the network, which could be that of any other connection. */
  readonly ofNetwork: boolean;
}

/** What an error of a driver of Postgres tells of the server; undefined when it is a mistake. */
export function postgresFault(error: unknown): PostgresFault | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const word = typeof code === 'string' ? code : '';
  const ofNetwork = NETWORK.test(word);
  if (ofNetwork || LOST.test(word) || REFUSED.test(word)) return { reason: word, lost: isLost(word), ofNetwork };
  const text = String(message);
  if (EXHAUSTED.test(text)) return { reason: 'busy', lost: false, ofNetwork };
  if (!BROKEN.test(text)) return undefined;
  return { reason: /timeout/i.test(text) ? 'timeout' : 'connection_lost', lost: true, ofNetwork };
}

/** What keeps somebody from Postgres, behind an error: a word, such as an SQLSTATE; undefined when it is a mistake. */
export function outageOf(error: unknown): string | undefined {
  if (error instanceof OutageError) return error.reason;
  // The application opens its own PGlite, and may have to wait for its folder.
  if (error instanceof RoostError && error.retryAfterMs !== undefined) return 'unavailable';
  if ((error as Partial<Error> | undefined)?.message === 'PGlite is closed') return 'closed';
  return postgresFault(error)?.reason;
}

/** Whether everybody is concerned, and not only who asked now. */
export function isLost(reason: string): boolean {
  return reason !== 'busy' && !REFUSED.test(reason);
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
