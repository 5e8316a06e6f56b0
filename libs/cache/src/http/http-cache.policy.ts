import { toMs, type Duration } from '@roost/redis';
import type { CacheOptions } from '../cache.options.js';
import type { CacheRequest, CacheResponseOptions } from './http-cache.options.js';
import { responseCodec } from './stored-response.js';

const STATUSES = [200, 203, 204, 300, 301, 404, 410];
/** They describe the body, or where it is found. */
const HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'last-modified',
  'link',
  'location',
];

/** The options of one route with nothing left open. */
export interface HttpCachePolicy {
  /** `Class.method`, for logs. */
  readonly name: string;
  /** What its keys begin with. */
  readonly prefix: string;
  readonly options: CacheResponseOptions;
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  /** In lower case. */
  readonly headers: ReadonlySet<string>;
  /** In lower case. */
  readonly vary: readonly string[];
  readonly varyHeader: string | undefined;
  readonly cacheControl: string | undefined;
  /** Undefined when every query parameter counts. */
  readonly counts: ((parameter: string) => boolean) | undefined;
  readonly load: CacheOptions;
}

/** @param options have no problems. */
export function resolvePolicy(options: CacheResponseOptions, name: string, version: string): HttpCachePolicy {
  const vary = (options.vary ?? []).map((header) => header.toLowerCase());
  return {
    name,
    prefix: `http:${name}${version === '' ? '' : `@${encodeURIComponent(version)}`}`,
    options,
    methods: new Set<string>(options.methods ?? ['GET']),
    statuses: new Set(options.statuses ?? STATUSES),
    headers: new Set([...HEADERS, ...(options.headers ?? []).map((header) => header.toLowerCase())]),
    vary,
    varyHeader: vary.length === 0 ? undefined : vary.join(', '),
    cacheControl: cacheControlOf(options),
    counts: parameterFilter(options.query),
    load: loadOptions(options),
  };
}

/** What a load is asked with; tags that depend on the request are added to it. */
function loadOptions({ ttl, grace, tags, softTimeout, hardTimeout }: CacheResponseOptions): CacheOptions {
  return {
    ...(ttl !== undefined && { ttl }),
    ...(grace !== undefined && { grace }),
    ...(Array.isArray(tags) && { tags: tags as readonly string[] }),
    softTimeout: softTimeout ?? '100ms',
    hardTimeout: hardTimeout ?? '30s',
    staleIfError: true,
    errorTtl: 0,
    codec: responseCodec,
  };
}

function cacheControlOf(options: CacheResponseOptions): string | undefined {
  const { varyBy, maxAge, staleWhileRevalidate, staleIfError } = options;
  const directives = [
    ...(varyBy === undefined ? [] : ['private']),
    ...(maxAge === undefined ? [] : [`max-age=${seconds(maxAge)}`]),
    ...(staleWhileRevalidate === undefined ? [] : [`stale-while-revalidate=${seconds(staleWhileRevalidate)}`]),
    ...(staleIfError === undefined ? [] : [`stale-if-error=${seconds(staleIfError)}`]),
  ];
  return directives.length === 0 ? undefined : directives.join(', ');
}

function seconds(duration: Duration): number {
  return duration === 0 ? 0 : Math.floor(toMs(duration) / 1_000);
}

function parameterFilter(query: CacheResponseOptions<CacheRequest>['query']): HttpCachePolicy['counts'] {
  const allowed = query?.allow && matcherOf(query.allow);
  const ignored = query?.ignore && matcherOf(query.ignore);
  if (allowed === undefined && ignored === undefined) return undefined;
  return (name) => (allowed?.(name) ?? true) && !(ignored?.(name) ?? false);
}

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  const beginnings = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return (name) => exact.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}
