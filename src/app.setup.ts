import { ShutdownSignal } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Backend } from '@roost/redis';
import { decisionOf } from '@roost/throttle';
import { CONFIG, type Config } from './common/config/index.js';
import { ProblemFilter } from './common/errors/index.js';
import {
  answerClientError,
  answerProbesOnly,
  decodableUrl,
  requestIdOf,
  requestSchemaPipe,
  serveOpenApi,
} from './common/http/index.js';
import { createLogger, logRequests } from './common/logging/index.js';
import { serveQueueBoard } from './modules/admin/index.js';

/** The HTTP server, before Nest has it. */
export function createAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    genReqId: requestIdOf,
    rewriteUrl: ({ url = '/' }) => decodableUrl(url),
    // Longer than any URL that Node accepts: Fastify answers a longer parameter itself, past filters and logs.
    routerOptions: { maxParamLength: 16_384 },
    clientErrorHandler: answerClientError,
    bodyLimit: 64 * 1_024,
    // Fastify waits for a request without end; one that trickles in would hold up a shutdown for as long as it likes.
    requestTimeout: 30_000,
  });
}

/** Everything about the application that is not a module; main.ts and the e2e tests share it. */
export function configure(app: NestFastifyApplication): NestFastifyApplication {
  const config = app.get<Config>(CONFIG);
  app.useLogger(createLogger(config));
  app.flushLogs();
  const server = app.getHttpAdapter().getInstance();
  logRequests(server, rateLimitFields(app, config));
  if (config.ROLE === 'worker') answerProbesOnly(server);
  else serveQueueBoard(app);
  app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)));
  app.useGlobalPipes(requestSchemaPipe());
  app.enableShutdownHooks([ShutdownSignal.SIGTERM, ShutdownSignal.SIGINT], { useProcessExit: true });
  serveOpenApi(app);
  return app;
}

/** The two fields of the request log: by the decision on the request, else by who would decide now. */
function rateLimitFields(app: NestFastifyApplication, config: Config): Parameters<typeof logRequests>[1] {
  const backend = app.get(Backend);
  const local = config.RATE_LIMIT_BACKEND === 'memory';
  return (request) => {
    const decision = decisionOf(request);
    return {
      rl_backend: decision?.backend ?? (local ? 'memory' : backend.current),
      rate_limit_state: decision?.state ?? 'allow',
    };
  };
}
