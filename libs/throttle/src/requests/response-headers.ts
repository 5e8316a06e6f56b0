import type { Decision } from '../decision.js';
import type { ThrottleConfig } from '../throttle.config.js';
import type { Header } from './header-dialects.js';
import { exposedHeaders, headersOf } from './rate-limit.headers.js';

/** What headers are set on: Fastify's reply has `header`, the response of Express and Node `setHeader`. */
interface ResponseLike {
  readonly getHeader?: (name: string) => unknown;
  readonly header?: (name: string, value: string) => unknown;
  readonly setHeader?: (name: string, value: string) => unknown;
  readonly headersSent?: boolean;
  readonly writableEnded?: boolean;
  readonly raw?: ResponseLike;
}

type HeaderOptions = Pick<ThrottleConfig, 'headers' | 'exposeHeaders'>;

const EXPOSE_HEADERS = 'Access-Control-Expose-Headers';
/** Set by the guard, because Nest's own exception filter would answer with application/json. */
const PROBLEM: Header = ['Content-Type', 'application/problem+json; charset=utf-8'];

/**
 * Puts the headers of a decision on a response. Where there is none, or it is on its way already, nothing happens: what
 * was decided counts all the same.
 */
export function tellOf(decision: Decision, response: unknown, options: HeaderOptions, problem: boolean): void {
  if (typeof response !== 'object' || response === null || decision.policies.length === 0) return;
  setAll(response, headersOf(decision, options.headers), options, problem);
}

/** Puts headers that were computed before on a response. */
export function setAll(response: object, headers: readonly Header[], options: HeaderOptions, problem: boolean): void {
  const target = response as ResponseLike;
  const { raw = target } = target;
  if (raw.headersSent === true || raw.writableEnded === true) return;
  for (const [name, value] of headers) set(target, name, value);
  if (options.exposeHeaders) {
    set(
      target,
      EXPOSE_HEADERS,
      exposedHeaders(options.headers, target.getHeader?.(EXPOSE_HEADERS) as string | undefined),
    );
  }
  if (problem) set(target, ...PROBLEM);
}

/** Express has both; its own `header` also changes content types. */
function set(target: ResponseLike, name: string, value: string): void {
  if (typeof target.setHeader === 'function') target.setHeader(name, value);
  else if (typeof target.header === 'function') target.header(name, value);
}
