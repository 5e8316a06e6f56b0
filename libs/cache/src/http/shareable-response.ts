import type { HttpCachePolicy } from './http-cache.policy.js';
import { textOf, type HeaderValue } from './http-exchange.js';
import type { WholeResponse } from './response-capture.js';
import { storedResponse, type StoredResponse } from './stored-response.js';

/** What is done with a response besides sending it. */
export type Verdict =
  | { readonly kind: 'stored'; readonly stored: StoredResponse }
  /** Not kept, and given to those who wait for it now. */
  | { readonly kind: 'failed'; readonly stored: StoredResponse }
  | { readonly kind: 'refused'; readonly because: string };

/**
 * Whether others may be given a response: nothing that is somebody's own, and nothing that depends on what is not in the
 * key. `Vary: Origin` that stood there before the handler ran is of CORS, which answers each request by itself.
 */
export function judge(policy: HttpCachePolicy, response: WholeResponse, varyBefore: HeaderValue | undefined): Verdict {
  const { status, headers, body } = response;
  const because = personal(headers) ?? varies(policy, headers, namesOf(varyBefore));
  if (because !== undefined) return { kind: 'refused', because };
  const failed = status >= 500;
  if (!failed && !policy.statuses.has(status)) return { kind: 'refused', because: `its status ${status} is not kept` };
  const kept: (readonly [string, string])[] = [];
  for (const [name, value] of headers) if (policy.headers.has(name)) kept.push([name, textOf(value)]);
  return { kind: failed ? 'failed' : 'stored', stored: storedResponse(status, kept, body) };
}

function personal(headers: WholeResponse['headers']): string | undefined {
  if (headers.has('set-cookie')) return 'it sets a cookie';
  const control = namesOf(headers.get('cache-control')).find((name) => /^(?:no-store|private)\b/.test(name));
  return control === undefined ? undefined : `it says \`Cache-Control: ${control}\``;
}

function varies({ vary }: HttpCachePolicy, headers: WholeResponse['headers'], before: readonly string[]) {
  const undeclared = namesOf(headers.get('vary')).filter(
    (name) => !vary.includes(name) && !(name === 'origin' && before.includes(name)),
  );
  return undeclared.length === 0
    ? undefined
    : `it depends on ${undeclared.join(', ')} (Vary), which \`vary\` does not name`;
}

function namesOf(list: HeaderValue | undefined): string[] {
  if (list === undefined) return [];
  return textOf(list)
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}
