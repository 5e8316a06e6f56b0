import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import type { FastifyInstance } from 'fastify';
import mercurius, { type MercuriusOptions } from 'mercurius';

/**
 * Mercurius, registered without waiting for it. Whoever waits makes Fastify finish all routes that are there, with the
 * error handler of that moment: Nest sets its own only afterwards, and errors such as a body that is no JSON would be
 * answered past it on every route of the service. Hooks and plugins of Mercurius are not supported for that reason.
 */
export class GraphqlDriver extends MercuriusDriver {
  override start(options: MercuriusDriverConfig): Promise<void> {
    const server: FastifyInstance = this.instance;
    // Nothing is lost: what goes wrong keeps the server from becoming ready.
    void server.register(mercurius, options as MercuriusOptions);
    return Promise.resolve();
  }
}
