import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HEALTH_SETTINGS } from './health.module-definition.js';
import type { HealthSettings } from './health.options.js';
import { Lifecycle } from './lifecycle.js';

const SWEEP_MS = 20;

/**
 * Lets the server close. Node waits for every connection, also for one that a browser opened ahead of need, and once it
 * closes it times none of them out: a single silent socket would hold up a shutdown for ever. Here requests in flight are
 * waited for, and connections without one are not.
 */
@Injectable()
export class Connections implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  #server?: Server;
  #inFlight = 0;
  #sweep?: NodeJS.Timeout;

  constructor(
    private readonly adapters: HttpAdapterHost,
    private readonly lifecycle: Lifecycle,
    @Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings,
  ) {}

  onApplicationBootstrap(): void {
    this.#server = this.adapters.httpAdapter?.getHttpServer() as Server | undefined;
    this.#server?.prependListener('request', this.#count);
  }

  /** The server closes right after this hook; whatever it still holds is let go as its requests end. */
  beforeApplicationShutdown(): void {
    let closingSince: number | undefined;
    this.#sweep = setInterval(() => {
      if (this.#server === undefined || this.#server.listening) return;
      closingSince ??= performance.now();
      const late = performance.now() - closingSince > this.settings.closeWithinMs;
      if (this.#inFlight === 0 || late) this.#server.closeAllConnections();
      else this.#server.closeIdleConnections();
    }, SWEEP_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.#sweep);
    this.#server?.off('request', this.#count);
  }

  readonly #count = (_request: IncomingMessage, response: ServerResponse): void => {
    this.#inFlight += 1;
    response.once('close', () => (this.#inFlight -= 1));
    // Tells clients that keep connections to open the next one elsewhere.
    if (this.lifecycle.stopping) response.setHeader('Connection', 'close');
  };
}
