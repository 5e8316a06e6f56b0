import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HEALTH_SETTINGS } from './health.module-definition.js';
import type { HealthSettings } from './health.options.js';

/** Where the application is between its start and its end. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  constructor(@Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings) {}

  get started(): boolean {
    return this.#phase !== 'starting';
  }

  get stopping(): boolean {
    return this.#phase === 'stopping';
  }

  onApplicationBootstrap(): void {
    this.#phase = 'running';
  }

  /** The first hook of a shutdown: from here on no balancer should send more. */
  onModuleDestroy(): void {
    this.#phase = 'stopping';
  }

  /** Holds the server open. Only for SIGTERM, which orchestrators send: who presses Ctrl-C has no balancer to wait for. */
  async beforeApplicationShutdown(signal?: string): Promise<void> {
    if (signal !== 'SIGTERM') return;
    await new Promise((resolve) => setTimeout(resolve, this.settings.drainMs));
  }
}
