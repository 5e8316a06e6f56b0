import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queues } from '@roost/queue';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '../../common/config/index.js';
import { sendProblem } from '../../common/errors/index.js';
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
  server.addHook('onRequest', async (request, reply) => {
    if (request.url !== PATH && !/^\/admin\/queues[/?]/.test(request.url)) return;
    try {
      assertAdmin(tokenOf(request), config);
    } catch (error) {
      reply.header('WWW-Authenticate', 'Basic realm="admin", charset="UTF-8"');
      await sendProblem(reply, error);
    }
  });
  // Loaded when it can be seen: it is large, and most processes never show it.
  if (config.ROOST_ADMIN_TOKEN !== undefined) void server.register((board) => openBoard(board, queues), { prefix: PATH });
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

function tokenOf({ headers }: FastifyRequest): unknown {
  const [, credentials] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '') ?? [];
  if (credentials === undefined) return headers['x-admin-token'];
  const text = Buffer.from(credentials, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}
