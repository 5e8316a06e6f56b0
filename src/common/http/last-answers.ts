import type { FastifyInstance } from 'fastify';

/**
 * Ends each connection with its last answer once the server stops listening. Node closes idle connections at that moment;
 * one that was waiting for an answer would be kept alive for another minute, and the process with it.
 */
export function endConnectionsWithTheirLastAnswer(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (!fastify.server.listening) reply.header('connection', 'close');
    done(null, payload);
  });
}
