import { Logger } from '@nestjs/common';

const PAUSE_MS = 60_000;

/** Says what goes wrong with a cache, at most once a minute: nobody has to act on one value that was not stored. */
export class CacheManagerLog {
  readonly #logger = new Logger('CacheManager');
  #saidAt = -Infinity;
  #suppressed = 0;

  readonly warn = (message: string): void => this.#logger.warn(message, { event: 'cache-manager.warning' });

  readonly failed = (error: unknown): void => {
    const now = performance.now();
    if (now - this.#saidAt < PAUSE_MS) return void this.#suppressed++;
    const message = error instanceof Error ? error.message : String(error);
    const details = { event: 'cache-manager.failed', error: message, suppressed: this.#suppressed };
    this.#saidAt = now;
    this.#suppressed = 0;
    this.#logger.warn('A value could not be read, stored or removed', details);
  };
}
