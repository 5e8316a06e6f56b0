import { DrizzleQueryError } from 'drizzle-orm';
import { DatabaseUnavailableError } from './database.errors.js';

/** What of an error of the driver tells what happened. */
interface DriverError {
  /** An SQLSTATE, or a code of the system. */
  readonly code?: unknown;
  readonly message?: unknown;
}

/** The server refuses everybody: connection exceptions, shut down, crashed, starting, read-only after a failover. */
const LOST = /^(?:08|57P0|25006)/;
/** The server had no room or time for this one: resources, conflicts, cancelled, locked, idle for too long. */
const REFUSED = /^(?:53|40001|40P01|57014|55P03|25P0[34])/;
const NETWORK = /^(?:E[A-Z]{3,}|EAI_[A-Z]+)$/;
/** node-postgres tells only in words of a connection that broke, or that was not made or did not answer in time. */
const BROKEN = /^(?:Connection terminated|Client (?:has encountered|was closed)|timeout expired|Query read timeout)/;
/** The same of a pool that has no connection left to lend. */
const EXHAUSTED = /^timeout exceeded when trying to connect/;

const FROM_CONNECTION = Symbol('FROM_CONNECTION');

/** Remembers that an error of the network comes from a connection to the database: by itself it could be anybody's. */
export function markConnectionError(error: object): void {
  Object.defineProperty(error, FROM_CONNECTION, { value: true });
}

/** The SQLSTATE, or the system's code, of what the database said; Drizzle wraps it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code } = (driverError(error) ?? {}) as DriverError;
  return typeof code === 'string' ? code : undefined;
}

/** The outage behind an error, or undefined when it is a mistake, or somebody else's error that passed through. */
export function outageOf(error: unknown): DatabaseUnavailableError | undefined {
  if (error instanceof DatabaseUnavailableError) return error;
  const inner = driverError(error);
  if (inner instanceof DatabaseUnavailableError) return inner;
  if (typeof inner !== 'object' || inner === null) return undefined;
  const code = sqlStateOf(inner) ?? '';
  const message = String((inner as DriverError).message);
  if (EXHAUSTED.test(message)) return new DatabaseUnavailableError('busy', false, { cause: inner });
  if (BROKEN.test(message) || LOST.test(code) || (FROM_CONNECTION in inner && NETWORK.test(code))) {
    return new DatabaseUnavailableError(code || 'connection_lost', true, { cause: inner });
  }
  return REFUSED.test(code) ? new DatabaseUnavailableError(code, false, { cause: inner }) : undefined;
}

/** The outage that kept a connection from being made; a wrong password is none. */
export function outageAtConnect(error: unknown): DatabaseUnavailableError | undefined {
  if (typeof error === 'object' && error !== null) markConnectionError(error);
  return outageOf(error);
}

function driverError(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error;
}
