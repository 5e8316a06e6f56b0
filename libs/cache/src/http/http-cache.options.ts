import type { Duration } from '@roost/redis';

/** What is read of a request. Name the type of your server (`FastifyRequest`, `Request`) in your function to see all of it. */
export interface CacheRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** With the port, where there is one; by the server's rules about proxies. */
  readonly host?: string;
  /** Where an Express application is mounted. */
  readonly baseUrl?: string;
  readonly body?: unknown;
  readonly user?: unknown;
}

/**
 * How the responses of a route are kept. They are kept as they were sent: status, headers, and the bytes after all
 * interceptors and serializers.
 */
export interface CacheResponseOptions<R = CacheRequest> {
  /** How long a response is fresh. @default that of the module */
  readonly ttl?: Duration;
  /** How long after its `ttl` it is still served while another request renews it, or when that fails; or 0. @default that of the module */
  readonly grace?: Duration;
  /** By which `invalidateTags` finds it. */
  readonly tags?: readonly string[] | ((request: R) => readonly string[]);
  /** `public`: the same response for everybody, whatever credentials a request carries. @default only requests without credentials share */
  readonly scope?: 'public';
  /** Who shares a response, for example the id of the user; undefined or empty for nobody. Excludes `scope`. */
  readonly varyBy?: (request: R) => string | undefined;
  /** Request headers that the response depends on. A response whose `Vary` names another one is not kept. @default none */
  readonly vary?: readonly string[];
  /** `POST` adds the digest of the body to the key; a HEAD is always answered from its GET. @default ['GET'] */
  readonly methods?: readonly ('GET' | 'POST')[];
  /** Statuses that are kept. @default [200, 203, 204, 300, 301, 404, 410] */
  readonly statuses?: readonly number[];
  /** Response headers that are kept besides those that describe the body. `Set-Cookie` is refused. @default none */
  readonly headers?: readonly string[];
  /** Query parameters that count, or that do not; a `*` at the end stands for any rest. @default all count, in any order */
  readonly query?: { readonly allow?: readonly string[]; readonly ignore?: readonly string[] };
  /** Stands in the key for path and query. */
  readonly key?: (request: R) => string;
  /** Tells caches of clients how long they may answer by themselves, or 0. @default nothing is told */
  readonly maxAge?: Duration;
  /** Tells them how long after that they may while they ask again; needs `maxAge`. */
  readonly staleWhileRevalidate?: Duration;
  /** Tells them how long after that they may when this service fails; needs `maxAge`. */
  readonly staleIfError?: Duration;
  /** Whether `Cache-Control: no-cache`, `no-store` and `max-age` of requests are obeyed. @default false */
  readonly obeyRequests?: boolean;
  /** How long a request waits for another one to renew a response that may still be served. @default '100ms' */
  readonly softTimeout?: Duration;
  /** How long a request waits for the response of another one at all, before it runs the handler itself. @default '30s' */
  readonly hardTimeout?: Duration;
}
