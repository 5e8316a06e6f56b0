import { HttpException } from '@nestjs/common';
import { show } from '@roost/redis';
import { UnrecoverableError } from 'bullmq';
import { NonSerializableError } from '../queue.errors.js';

/** In characters. A reason is kept with the job, told in an event and logged: a whole response must not be part of it. */
const LONGEST_MESSAGE = 10_000;
const LONGEST_STACK = 20_000;

/** In JSON: U+0000, and half of a surrogate pair. Postgres keeps neither. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** Not to be tried again. */
export function final(cause: Error): UnrecoverableError {
  return Object.assign(new UnrecoverableError(cause.message), { cause });
}

/**
 * What BullMQ is to store of what a handler threw: an error with a text, which every store can keep. A reason that cannot
 * be stored would leave the job without an end, and it would run again.
 */
export function reasonOf(error: unknown): Error {
  if (!(error instanceof Error))
    return storable(new Error(typeof error === 'string' ? error : `thrown: ${show(error)}`));
  // What a pipe refuses is refused again.
  const refused = error instanceof HttpException && (error.getStatus() === 400 || error.getStatus() === 422);
  return storable(refused ? final(saying(error)) : error);
}

/** What was refused stands in the response: the message only says that something was. */
function saying(error: HttpException): Error {
  const response = error.getResponse() as { readonly message?: unknown } | string;
  const said = typeof response === 'object' ? response.message : response;
  if (!Array.isArray(said)) return error;
  return Object.assign(new Error(said.join('; '), { cause: error }), { stack: error.stack });
}

/**
 * The result of a handler as it is.
 * @throws UnrecoverableError when no store can keep it: the handler has done its work, and would do it again.
 */
export function resultOf(result: unknown): unknown {
  if (result === undefined) return undefined;
  let json: string | undefined;
  try {
    json = JSON.stringify(result);
  } catch (error) {
    throw refusalOf(`a ${typeof result} (${(error as Error).message})`, error);
  }
  if (json === undefined) throw refusalOf(`a ${typeof result}`);
  if (UNSTORABLE.test(json)) throw refusalOf('or contains a text with U+0000 or half of a surrogate pair');
  return result;
}

function refusalOf(what: string, cause?: unknown): UnrecoverableError {
  const error = new NonSerializableError('result', what);
  error.cause = cause;
  return final(error);
}

/** The error itself when it can be stored, as nearly all can; else one that says the same. */
function storable(error: Error): Error {
  const { message, stack = '' } = error as { message: unknown; stack?: unknown };
  const text = clean(typeof message === 'string' ? message : show(message), LONGEST_MESSAGE);
  const full = typeof stack === 'string' ? stack : '';
  // The stack begins with the message: of a long one the places would be cut off.
  const trace = clean(
    text === message || typeof message !== 'string' ? full : full.replace(message, () => text),
    LONGEST_STACK,
  );
  if (text === message && trace === stack) return error;
  return Object.assign(new Error(text, { cause: error }), { name: error.name, stack: trace });
}

function clean(text: string, longest: number): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return short.toWellFormed().replaceAll('\u0000', '\uFFFD');
}
