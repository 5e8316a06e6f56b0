import { HttpException } from '@nestjs/common';
import { RoostError } from '@roost/redis';
import { STATUS_CODES } from 'node:http';
import { outageOf } from '../database/outages.js';
import { InvalidRequestError } from './http.errors.js';

/** An RFC 9457 problem: `errorCode` is the stable name to program against, `detail` is for people. */
interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly errorCode: string;
  readonly [extension: string]: unknown;
}

/** What a request that failed is answered with. */
export interface ProblemAnswer {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
  /** Nobody meant this to happen: log it with its stack. */
  readonly unexpected: boolean;
}

/** Turns whatever was thrown into an answer; nothing of an error that nobody meant reaches the client. */
export function answerTo(error: unknown): ProblemAnswer {
  if (error instanceof InvalidRequestError) return answer(422, error.code, error.message, { issues: error.issues });
  if (error instanceof RoostError && error.httpStatus !== 500) return ofRoost(error);
  if (error instanceof HttpException) return ofHttp(error);
  const outage = outageOf(error);
  if (outage !== undefined) return ofRoost(outage);
  const status = statusOfServerError(error);
  if (status !== undefined) return answer(status, `http.${status}`, (error as Error).message);
  return { ...answer(500, 'internal'), unexpected: true };
}

function ofRoost(error: RoostError): ProblemAnswer {
  // What a 5xx says is for operators (which command, which deadline); the client only needs to know when to return.
  const detail = error.httpStatus < 500 ? error.message : 'The service cannot do this just now. Try again later.';
  return answer(error.httpStatus, error.code, detail, {}, retryAfter(error));
}

function ofHttp(error: HttpException): ProblemAnswer {
  const status = error.getStatus();
  const body = error.getResponse();
  const given = typeof body === 'object' ? (body as Partial<Problem>) : {};
  const headers = retryAfter(error as { retryAfterMs?: unknown });
  // A guard or pipe that already speaks RFC 9457 keeps its words; Nest's own body is { statusCode, message, error }.
  if (typeof given.type === 'string' && typeof given.title === 'string') {
    const { errorCode = error.errorCode ?? `http.${status}`, ...rest } = given;
    return { problem: { ...rest, status, errorCode } as Problem, headers, unexpected: false };
  }
  return answer(status, error.errorCode ?? `http.${status}`, status < 500 ? error.message : undefined, {}, headers);
}

/** The status of an error of the HTTP server itself (a body that is no JSON, one that is too large, a broken URL). */
function statusOfServerError(error: unknown): number | undefined {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  const ofFastify = typeof code === 'string' && code.startsWith('FST_');
  return ofFastify && typeof statusCode === 'number' && statusCode < 500 ? statusCode : undefined;
}

function answer(
  status: number,
  errorCode: string,
  detail?: string,
  extensions: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): ProblemAnswer {
  const title = STATUS_CODES[status] ?? 'Error';
  const problem = { type: `urn:roost:error:${errorCode}`, title, status, ...(detail && { detail }), errorCode };
  return { problem: { ...problem, ...extensions }, headers, unexpected: false };
}

/** Whole seconds, rounded up, where the error knows when trying again makes sense. */
function retryAfter({ retryAfterMs }: { readonly retryAfterMs?: unknown }): Record<string, string> {
  if (typeof retryAfterMs !== 'number') return {};
  return { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
}
