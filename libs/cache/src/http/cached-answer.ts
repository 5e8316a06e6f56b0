import type { CacheResult } from '../cache.options.js';
import { send, setHeader, textOf, type HeaderValue, type HttpExchange } from './http-exchange.js';
import type { HttpCachePolicy } from './http-cache.policy.js';
import type { StoredResponse } from './stored-response.js';

type Header = readonly [name: string, value: string];

/** Answers with a stored response: 304 when the client has it, without a body for HEAD. */
export function answer(
  { request, response }: HttpExchange,
  policy: HttpCachePolicy,
  { value, ageMs }: Pick<CacheResult<StoredResponse>, 'value' | 'ageMs'>,
  status: string,
): void {
  const known = isKnown(request.headers['if-none-match'], value, request.method);
  for (const [name, text] of value.headers) {
    // RFC 9110 §15.4.5: what tells of the body is left out of a 304.
    if (!known || !name.startsWith('content-') || name === 'content-location') setHeader(response, name, text);
  }
  for (const [name, text] of ourHeaders(policy, value, response.getHeader('vary'))) setHeader(response, name, text);
  setHeader(response, 'age', String(Math.floor(ageMs / 1_000)));
  setHeader(response, 'cache-status', status);
  if (known) send(response, 304, undefined);
  else send(response, value.status, value.body.length === 0 ? undefined : value);
}

/** What the cache adds to a response that it keeps. */
export function ourHeaders(
  { cacheControl, varyHeader }: HttpCachePolicy,
  { etag, headers }: StoredResponse,
  vary: HeaderValue | undefined,
): Header[] {
  const ours: Header[] = [['etag', etag]];
  // What the handler has said about other caches stands.
  if (cacheControl !== undefined && !headers.some(([name]) => name === 'cache-control')) {
    ours.push(['cache-control', cacheControl]);
  }
  if (varyHeader !== undefined) ours.push(['vary', varyWith(vary, varyHeader)]);
  return ours;
}

/** Whether the client has it: `If-None-Match` names it, compared weakly (RFC 9110 §13.1.2), and there is a use for it (§13.2.1). */
export function isKnown(
  ifNoneMatch: string | string[] | undefined,
  { status, etag }: StoredResponse,
  method: string,
): boolean {
  if (ifNoneMatch === undefined || method === 'POST' || status >= 300) return false;
  const tags = String(ifNoneMatch).split(',');
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

function varyWith(already: HeaderValue | undefined, ours: string): string {
  if (already === undefined) return ours;
  const names = `${textOf(already)}, ${ours}`.split(',').map((name) => name.trim());
  return names
    .filter((name, at) => names.findIndex((each) => each.toLowerCase() === name.toLowerCase()) === at)
    .join(', ');
}
