import type { RoostError } from '@roost/redis';

/** What an `exception` event holds. */
export interface ToldException {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  /** Which event it is about. */
  readonly event?: string;
  readonly room?: string;
  readonly retryAfterMs?: number;
}

/** An error as clients may see it: one with a code of its own below 500 as it is, others without their reasons. */
export function toldOf(error: unknown, about: { readonly event?: string; readonly room?: string } = {}): ToldException {
  const { code, message, retryAfterMs, status } = read(error);
  const isMeant = code !== undefined && status < 500;
  return {
    status: 'error',
    code: code ?? 'presence.failed',
    message: isMeant ? message : 'The service cannot do this just now. Try again later.',
    ...about,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** Whether an error is nobody's fault but the code's. */
export function isBug(error: unknown): boolean {
  return read(error).code === undefined;
}

interface ReadError {
  readonly code?: string;
  readonly message: string;
  readonly status: number;
  readonly retryAfterMs?: number;
}

function read(error: unknown): ReadError {
  if (!(error instanceof Error)) return { message: '', status: 500 };
  const { code, httpStatus, retryAfterMs } = error as Partial<RoostError>;
  if (typeof code !== 'string' || typeof httpStatus !== 'number') return { message: error.message, status: 500 };
  return { code, message: error.message, status: httpStatus, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
