import { digest } from '@roost/redis';
import { canonicalJson } from '../values/canonical-json.js';
import type { HttpCachePolicy } from './http-cache.policy.js';
import type { CacheRequest } from './http-cache.options.js';
import { textOf } from './http-exchange.js';

/** Why a request is not answered from the cache: what `Cache-Status` says, and what the log says. */
export interface Bypass {
  readonly forward: 'bypass' | 'method';
  readonly because: string;
}

const bypasses = {
  method: { forward: 'method', because: 'its method is not among `methods`' },
  target: { forward: 'bypass', because: 'its target is no path' },
  range: { forward: 'bypass', because: 'it asks for a part (`Range`)' },
  nobody: { forward: 'bypass', because: '`varyBy` says that nobody shares it' },
  personal: {
    forward: 'bypass',
    because:
      "it carries credentials (Authorization, Cookie, X-Api-Key, or a user that a guard has found). Say `scope: 'public'` when the response is the same for everybody, or whom it is for by `varyBy`",
  },
  body: { forward: 'bypass', because: 'its body is no text, bytes or JSON' },
} as const satisfies Record<string, Bypass>;

/** The key of what answers a request, or why nothing may. Two requests with the same key get the same response. */
export function keyOf(policy: HttpCachePolicy, request: CacheRequest): string | Bypass {
  const { method, headers } = request;
  const { options } = policy;
  const asked = method === 'HEAD' ? 'GET' : method;
  if (!policy.methods.has(asked)) return bypasses.method;
  if (headers.range !== undefined) return bypasses.range;
  let audience = '';
  if (options.varyBy !== undefined) {
    const by = options.varyBy(request);
    if (typeof by !== 'string' || by === '') return bypasses.nobody;
    audience = ` by=${encodeURIComponent(by)}`;
  } else if (options.scope === undefined && isPersonal(request)) return bypasses.personal;
  const target = options.key === undefined ? targetOf(request, policy) : encodeURIComponent(options.key(request));
  if (target === undefined) return bypasses.target;
  // No part has a space in it, and how many there are is the same for all requests of a route.
  let key = `${policy.prefix} ${asked} ${hostOf(request)} ${target}`;
  for (const name of policy.vary) key += ` ${encodeURIComponent(textOf(headers[name] ?? ''))}`;
  if (asked === 'POST') {
    const body = bodyOf(request.body);
    if (body === undefined) return bypasses.body;
    key += ` ${digest(body)}`;
  }
  return key + audience;
}

function isPersonal({ headers, user }: CacheRequest): boolean {
  return (
    headers.authorization !== undefined ||
    headers.cookie !== undefined ||
    headers['x-api-key'] !== undefined ||
    (user !== undefined && user !== null)
  );
}

function hostOf({ host, headers }: CacheRequest): string {
  const name = (host ?? textOf(headers.host ?? '')).toLowerCase();
  return /^[\w.:[\]-]*$/.test(name) ? name : encodeURIComponent(name);
}

/** Path and query as the router saw them, so that two spellings of the same are one. */
function targetOf({ url, baseUrl }: CacheRequest, { counts }: HttpCachePolicy): string | undefined {
  // Some servers end the query at a `#`, others do not: what such a target asks for is not known here.
  if (url.charCodeAt(0) !== SLASH || /[ #]/.test(url)) return undefined;
  const mark = url.indexOf('?');
  const path = (baseUrl ?? '') + canonical(mark === -1 ? url : url.slice(0, mark));
  if (mark === -1) return path;
  const query = sorted(url.slice(mark + 1), counts);
  return query === '' ? path : `${path}?${query}`;
}

const SLASH = 47;

/** By name; those of one name keep their order, which handlers see. */
function sorted(query: string, counts: HttpCachePolicy['counts']): string {
  if (counts === undefined && !query.includes('&')) return canonical(query);
  const parameters = query
    .split('&')
    .filter((parameter) => parameter !== '')
    .map((parameter) => {
      const text = canonical(parameter);
      const equals = text.indexOf('=');
      return { name: nameOf(equals === -1 ? text : text.slice(0, equals)), text };
    });
  const counted = counts === undefined ? parameters : parameters.filter(({ name }) => counts(name));
  return counted
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
    .map(({ text }) => text)
    .join('&');
}

/** As handlers see it: `filter%5Bbrand%5D` is `filter[brand]`. */
function nameOf(written: string): string {
  if (!/[%+]/.test(written)) return written;
  try {
    return decodeURIComponent(written.replaceAll('+', ' '));
  } catch {
    return written; // no UTF-8: another name than any that is configured
  }
}

/** Characters that need no escape are written without one, and escapes in capitals (RFC 3986 §6.2.2). */
function canonical(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%[\da-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : escape.toUpperCase();
  });
}

function bodyOf(body: unknown): string | undefined {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string') return `t${body}`;
  if (Buffer.isBuffer(body)) return `b${body.toString('base64')}`;
  const json = canonicalJson(body);
  return json === undefined ? undefined : `j${json}`;
}
