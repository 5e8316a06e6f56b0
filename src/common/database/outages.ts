import { postgresFault } from '@roost/queue';
import { DrizzleQueryError } from 'drizzle-orm';
import { DatabaseUnavailableError } from './database.errors.js';

const FROM_CONNECTION = Symbol('FROM_CONNECTION');

/** Remembers that an error of the network comes from a connection to the database: by itself it could be anybody's. */
export function markConnectionError(error: object): void {
  Object.defineProperty(error, FROM_CONNECTION, { value: true });
}

/** The SQLSTATE, or the system's code, of what the database said; Drizzle wraps it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code } = (driverError(error) ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** The outage behind an error, or undefined when it is a mistake, or somebody else's error that passed through. */
export function outageOf(error: unknown): DatabaseUnavailableError | undefined {
  if (error instanceof DatabaseUnavailableError) return error;
  const inner = driverError(error);
  if (inner instanceof DatabaseUnavailableError) return inner;
  if (typeof inner !== 'object' || inner === null) return undefined;
  const fault = postgresFault(inner);
  if (fault === undefined || (fault.ofNetwork && !(FROM_CONNECTION in inner))) return undefined;
  return new DatabaseUnavailableError(fault.reason, fault.lost, { cause: inner });
}

/** The outage that kept a connection from being made; a wrong password is none. */
export function outageAtConnect(error: unknown): DatabaseUnavailableError | undefined {
  if (typeof error === 'object' && error !== null) markConnectionError(error);
  return outageOf(error);
}

function driverError(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error;
}
