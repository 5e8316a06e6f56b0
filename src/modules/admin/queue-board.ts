import { NotFoundException } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queues } from '@roost/queue';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '../../common/config/index.js';
import { AdminTokenError, sendProblem } from '../../common/errors/index.js';
import { assertAdmin } from '../../common/http/index.js';

const PATH = '/admin/queues';

/**
 * Serves bull-board, a page that shows queues and redrives what failed, to who has the admin token: in `x-admin-token`, or,
 * as a browser asks for it, as the password of any user.
 */
export function serveQueueBoard(app: NestFastifyApplication): void {
  const config = app.get<Config>(CONFIG);
  const queues = app.get(Queues);
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const serve = async (board: FastifyInstance) => {
    // By route and not by what the URL looks like: there is more than one way to write a path.
    board.addHook('onRequest', (request, reply) => admit(request, reply, config));
    board.all('/*', (request, reply) => sendProblem(reply, new NotFoundException(`Cannot ${request.method} this`)));
    // Loaded when it can be seen: it is large, and most processes never show it.
    if (config.ROOST_ADMIN_TOKEN === undefined)
      board.all('/', () => undefined); // nobody gets this far
    else await openBoard(board, queues);
  };
  void server.register(serve, { prefix: PATH });
}

async function admit(request: FastifyRequest, reply: FastifyReply, config: Config): Promise<void> {
  reply.header('X-Frame-Options', 'DENY');
  try {
    assertAdmin(tokenOf(request), config);
  } catch (error) {
    if (error instanceof AdminTokenError) reply.header('WWW-Authenticate', 'Basic realm="admin", charset="UTF-8"');
    await sendProblem(reply, error);
  }
}

async function openBoard(board: FastifyInstance, queues: Queues): Promise<void> {
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/fastify'),
  ]);
  const serverAdapter = new FastifyAdapter().setBasePath(PATH);
  createBullBoard({ queues: queues.all().map(({ queue }) => new BullMQAdapter(queue)), serverAdapter });
  await board.register(serverAdapter.registerPlugin());
}

function tokenOf({ headers, method }: FastifyRequest): unknown {
  const [, credentials] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '') ?? [];
  if (credentials === undefined || isForeignWrite(method, headers['sec-fetch-site'])) return headers['x-admin-token'];
  const text = Buffer.from(credentials, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

/** A browser sends a password that it knows with whatever another site makes it ask for. */
function isForeignWrite(method: string, from: unknown): boolean {
  return method !== 'GET' && method !== 'HEAD' && from !== undefined && from !== 'same-origin' && from !== 'none';
}
