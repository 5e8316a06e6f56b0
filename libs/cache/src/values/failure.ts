import { CachedFailureError } from '../cache.errors.js';

/** What is kept of the error of a load. */
export interface CachedFailure {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly httpStatus: number;
}

/** An error has no form that others could read: its name, its code, its message and its status have. */
export function writeFailure(error: unknown): Buffer {
  const { name, code, message, httpStatus, status } = (error ?? {}) as Record<string, unknown>;
  const failure: CachedFailure = {
    name: typeof name === 'string' ? name : 'Error',
    ...(typeof code === 'string' && { code }),
    message: typeof message === 'string' ? message : String(error),
    httpStatus: [httpStatus, status].find((each): each is number => Number.isInteger(each)) ?? 500,
  };
  return Buffer.from(JSON.stringify(failure));
}

/** @throws TypeError for what {@link writeFailure} has not written. */
export function readFailure(payload: Buffer): CachedFailure {
  const { name, code, message, httpStatus } = JSON.parse(payload.toString()) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof message !== 'string' || !Number.isInteger(httpStatus)) {
    throw new TypeError('These bytes are no failure of a load.');
  }
  return { name, ...(typeof code === 'string' && { code }), message, httpStatus: httpStatus as number };
}

export function failureError({ httpStatus, ...original }: CachedFailure, leftMs: number): CachedFailureError {
  return new CachedFailureError(original, httpStatus, Math.max(Math.ceil(leftMs), 0));
}
