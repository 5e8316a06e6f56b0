import type { ExecutionContext } from '@nestjs/common';

/** What is read of an HTTP request, or of the handshake of a WebSocket; all of it may be missing. */
export interface RequestLike {
  readonly ip?: unknown;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket?: { readonly remoteAddress?: unknown } | null;
  readonly user?: UserLike | null;
  /** Node's request, of which Fastify's is a view. */
  readonly raw?: object;
}

/** Where a user is looked for, unless `userOf` says. */
export interface UserLike {
  readonly id?: unknown;
  readonly sub?: unknown;
}

interface GraphQLContext {
  readonly req?: unknown;
  readonly request?: unknown;
  readonly res?: unknown;
  readonly reply?: { readonly request?: unknown };
  readonly user?: UserLike | null;
}

/**
 * The HTTP request that a call came by; with GraphQL it may have come with others. Undefined where there is none, or
 * where it is the handshake of a WebSocket, by which any number of calls come.
 */
export function httpRequestOf(context: ExecutionContext): RequestLike | undefined {
  const type = context.getType<string>();
  if (type === 'http') return asRequest(context.getArgByIndex(0));
  if (type !== 'graphql') return undefined;
  const request = graphqlRequestOf(context);
  return request === undefined || isHandshake(request) ? undefined : request;
}

/** Where the headers of the answer are set, if anywhere: Fastify's reply, or the response of Express or Node. */
export function httpResponseOf(context: ExecutionContext): unknown {
  const type = context.getType<string>();
  if (type === 'http') return context.getArgByIndex(1);
  if (type !== 'graphql') return undefined;
  const graphql = graphqlContextOf(context);
  return graphql?.res ?? graphql?.reply ?? (graphqlRequestOf(context) as { res?: unknown } | undefined)?.res;
}

/** The request of a GraphQL call, also when that is the handshake of a WebSocket. */
export function graphqlRequestOf(context: ExecutionContext): RequestLike | undefined {
  const graphql = graphqlContextOf(context);
  return asRequest(graphql?.req) ?? asRequest(graphql?.request) ?? asRequest(graphql?.reply?.request);
}

/** The user that the GraphQL server put into its context. */
export function graphqlUserOf(context: ExecutionContext): UserLike | null | undefined {
  return graphqlContextOf(context)?.user;
}

function graphqlContextOf(context: ExecutionContext): GraphQLContext | undefined {
  const graphql = context.getArgByIndex<unknown>(2);
  return typeof graphql === 'object' && graphql !== null ? graphql : undefined;
}

/**
 * Whether something is an HTTP request. Nest also calls contexts `http` that somebody else made, with arguments of his
 * own: what lives longer than one request must not be taken for one.
 */
function asRequest(value: unknown): RequestLike | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { raw = value } = value as RequestLike;
  return typeof (raw as { method?: unknown } | null)?.method === 'string' ? value : undefined;
}

function isHandshake({ headers }: RequestLike): boolean {
  return headers?.upgrade !== undefined;
}
