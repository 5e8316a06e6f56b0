import { NotFoundException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../errors/index.js';

const PROBES = new Set(['/livez', '/readyz', '/startupz', '/metrics']);

/** A process that runs jobs answers those who look after it, and nobody else. */
export function answerProbesOnly(server: FastifyInstance): void {
  server.addHook('onRequest', async ({ method, url }, reply) => {
    const [path = ''] = url.split('?');
    if (!PROBES.has(path))
      await sendProblem(reply, new NotFoundException(`Cannot ${method} ${path}: this is a worker`));
  });
}
