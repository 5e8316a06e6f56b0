import type { CacheRequest } from './http-cache.options.js';

/** The response of Node, which Express extends and Fastify wraps. */
export interface RawResponse {
  statusCode: number;
  statusMessage?: string;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  getHeaders(): Record<string, HeaderValue | undefined>;
  getHeader(name: string): HeaderValue | undefined;
  setHeader(name: string, value: HeaderValue): unknown;
  removeHeader(name: string): void;
  writeHead(...head: unknown[]): unknown;
  write(...chunk: unknown[]): unknown;
  end(...last: unknown[]): unknown;
  flushHeaders(): void;
}

export type HeaderValue = number | string | readonly string[];

interface FastifyReply {
  readonly raw: RawResponse;
  readonly sent: boolean;
  getHeader(name: string): HeaderValue | undefined;
  header(name: string, value: string): unknown;
  code(status: number): unknown;
  send(body?: Buffer | string): unknown;
}

/** A request and where its answer goes, on any adapter. */
export interface HttpExchange {
  readonly request: CacheRequest & { readonly raw?: CacheRequest };
  readonly response: RawResponse | FastifyReply;
}

/** Undefined for what is called HTTP by somebody and has no response. */
export function exchangeOf(request: unknown, response: unknown): HttpExchange | undefined {
  const asked = request as HttpExchange['request'] | null | undefined;
  const answer = response as HttpExchange['response'] | null | undefined;
  const raw = answer != null && rawOf(answer);
  if (typeof asked?.method !== 'string' || !raw || typeof raw.writeHead !== 'function') return undefined;
  return { request: asked, response: answer };
}

export function rawOf(response: HttpExchange['response']): RawResponse {
  return 'raw' in response ? response.raw : response;
}

export function textOf(value: HeaderValue): string {
  return typeof value === 'object' ? value.join(', ') : String(value);
}

/** Express has `header`, too, which also changes content types. */
export function setHeader(response: HttpExchange['response'], name: string, value: string): void {
  if ('setHeader' in response) response.setHeader(name, value);
  else response.header(name, value);
}

/** Fastify's own way, so that what was set before stays and its hooks run. */
export function send(
  response: HttpExchange['response'],
  status: number,
  payload: { readonly body: Buffer; readonly text: string | undefined } | undefined,
): void {
  const sent = payload && (payload.text ?? payload.body);
  if ('code' in response) {
    response.code(status);
    response.send(sent);
    return;
  }
  response.statusCode = status;
  if (payload !== undefined) response.setHeader('content-length', payload.body.length);
  response.end(sent);
}

/** Whether something was sent already, by whoever. */
export function isOver(response: HttpExchange['response']): boolean {
  const raw = rawOf(response);
  return raw.headersSent || raw.writableEnded;
}
