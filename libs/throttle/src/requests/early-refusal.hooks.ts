import type { HttpServer } from '@nestjs/common';
import { attachDecision } from '../decision.js';
import type { RequestLike } from './caller.js';
import type { EarlyAnswer } from './early-answer.js';

/** One route, or several of which a request's name tells which. */
export interface Place {
  /** How many refusals are remembered here. */
  refused: number;
}

/** Knows who is refused at a place of this name. */
interface Refusals {
  answerTo(name: string, request: RequestLike): EarlyAnswer | undefined;
}

/** Says where a request is, for what is remembered of it; undefined where that is not certain. */
export type Locate = (request: RequestLike) => { readonly place: Place; readonly name: string } | undefined;

const placeKey = Symbol('roost.throttle.place');

interface FastifyRoute {
  config?: object;
  onRequest?: unknown;
}

interface FastifyRequest extends RequestLike {
  readonly routeOptions?: { readonly config?: { readonly [placeKey]?: FastifyPlace } };
}

interface FastifyReply {
  code(status: number): FastifyReply;
  send(body: string): unknown;
}

interface FastifyPlace extends Place {
  readonly name: string;
}

interface ExpressRequest extends RequestLike {
  readonly method: string;
  readonly path: string;
}

interface ExpressLayer {
  readonly route?: { readonly methods?: Readonly<Record<string, boolean>> };
  readonly handle?: { readonly stack?: unknown };
  match?(path: string): unknown;
}

/** Lets the server answer what is known to be refused, before Nest's pipeline and after what was registered before. */
export function refuseEarly(adapter: HttpServer, refusals: Refusals): Locate | undefined {
  if (adapter.getType() === 'fastify') return onFastify(adapter.getInstance(), refusals);
  return adapter.getType() === 'express' ? onExpress(adapter, refusals) : undefined;
}

/** Each route has a hook of its own, so versions and constraints of one path are never mixed up. */
function onFastify(
  server: { addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown },
  refusals: Refusals,
): Locate {
  let routes = 0;
  server.addHook('onRoute', (route) => {
    const place: FastifyPlace = { name: String(routes++), refused: 0 };
    route.config = { ...route.config, [placeKey]: place };
    route.onRequest = [route.onRequest ?? [], hookOf(place, refusals)].flat();
  });
  return (request: FastifyRequest) => {
    const place = request.routeOptions?.config?.[placeKey];
    return place && { place, name: place.name };
  };
}

function hookOf(place: FastifyPlace, refusals: Refusals) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const answer = place.refused === 0 ? undefined : refusals.answerTo(place.name, request);
    if (answer === undefined) return done();
    attachDecision(request, answer.decision);
    answer.putHeadersOn(reply);
    reply.code(answer.status).send(answer.body);
    return undefined;
  };
}

function onExpress(adapter: HttpServer, refusals: Refusals): Locate {
  const place: Place = { refused: 0 };
  adapter.use!((request: ExpressRequest, response: ExpressResponse, next: () => void) => {
    const answer = place.refused === 0 ? undefined : refusals.answerTo(nameOf(request), request);
    if (answer === undefined) return next();
    attachDecision(request, answer.decision);
    answer.putHeadersOn(response);
    response.statusCode = answer.status;
    response.end(answer.body);
  });
  return (request) => {
    const { method, path } = request as ExpressRequest;
    const { router } = adapter.getInstance() as { router?: { stack?: readonly ExpressLayer[] } };
    return isOnly(router?.stack, method, path) ? { place, name: nameOf(request as ExpressRequest) } : undefined;
  };
}

interface ExpressResponse {
  statusCode: number;
  end(body: string): void;
}

function nameOf({ method, path }: ExpressRequest): string {
  return `${method} ${path}`;
}

/** Versions by header and hosts are told apart inside of routes: then one path has several. */
function isOnly(stack: readonly ExpressLayer[] | undefined, method: string, path: string): boolean {
  let found = 0;
  for (const layer of stack ?? []) {
    if (layer.route === undefined && layer.handle?.stack === undefined) continue;
    if (typeof layer.match !== 'function') return false;
    if (layer.match(path) && handles(layer, method)) found++;
  }
  return found === 1;
}

function handles({ route }: ExpressLayer, method: string): boolean {
  if (route === undefined) return true; // a router: whatever it may hold
  const { methods = {} } = route;
  return methods._all === true || methods[method.toLowerCase()] === true || (method === 'HEAD' && methods.get === true);
}
