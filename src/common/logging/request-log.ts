import { Logger } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** What the line of a request says about its rate limit. */
export interface RateLimitFields {
  readonly rl_backend: 'redis' | 'memory';
  readonly rate_limit_state: 'allow' | 'throttle' | 'block';
}

/** The status that nginx gave to a client that left before its answer. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * Logs each request once, with its route and never with what the caller wrote into the URL or the headers, and returns
 * its id as `x-request-id`. These are hooks of the server, not an interceptor, so that they also see what no handler
 * sees: unknown routes, bodies that are no JSON, clients that leave.
 */
export function logRequests(server: FastifyInstance, rateLimitOf: (request: FastifyRequest) => RateLimitFields): void {
  const logger = new Logger('Request');
  const startedAt = new WeakMap<FastifyRequest, number>();

  const logOnce = (request: FastifyRequest, status: number) => {
    const start = startedAt.get(request);
    if (start === undefined) return; // a client that left may still be answered: the line is written
    startedAt.delete(request);
    logger.log('request', {
      method: request.method,
      path: request.routeOptions.url ?? '(no route)',
      status,
      duration_ms: Math.round((performance.now() - start) * 10) / 10,
      request_id: request.id,
      ...rateLimitOf(request),
    });
  };

  server.addHook('onRequest', (request, reply, done) => {
    startedAt.set(request, performance.now());
    reply.header('x-request-id', request.id);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    logOnce(request, reply.statusCode);
    done();
  });
  server.addHook('onRequestAbort', (request, done) => {
    logOnce(request, CLIENT_CLOSED_REQUEST);
    done();
  });
}
