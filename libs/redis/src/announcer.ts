import type { LoggerService } from '@nestjs/common';
import type { Backend } from './backend.js';

const REPEAT_MS = 300_000;

/**
 * Says in the log which backend serves: once at each return, and while Redis is lost at most once in five minutes,
 * however often it comes and goes.
 */
export class Announcer {
  #saidAt = -Infinity;
  #suppressed = 0;
  #reminder: NodeJS.Timeout | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly logger: LoggerService,
    private readonly production: boolean,
    /** The last failure in Redis' own words. */
    private readonly lastFailure: () => string | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {
    backend.onChange((change) => (change.to === 'redis' ? this.#connected(change.afterMs) : this.lost()));
  }

  /** Tells that memory serves, unless that was told less than five minutes ago. */
  lost(): void {
    clearTimeout(this.#reminder);
    const waitMs = this.#saidAt + REPEAT_MS - this.now();
    if (waitMs > 0) this.#suppressed++;
    else this.#say();
    this.#reminder = setTimeout(() => this.lost(), Math.max(waitMs, 0) || REPEAT_MS).unref();
  }

  close(): void {
    clearTimeout(this.#reminder);
  }

  #connected(afterMs: number): void {
    clearTimeout(this.#reminder);
    this.logger.log('Redis rate limiting backend connected', {
      event: 'redis.connected',
      connection: this.backend.connection,
      after_ms: afterMs,
    });
  }

  #say(): void {
    const { reason, connection, since } = this.backend;
    const details = {
      event: 'redis.lost',
      connection,
      reason,
      since: since.toISOString(),
      suppressed: this.#suppressed,
      error: this.lastFailure(),
    };
    this.#saidAt = this.now();
    this.#suppressed = 0;
    if (reason === 'configured') {
      this.logger.log('In-memory backend as configured (single-instance only).', details);
    } else if (this.production) {
      this.logger.error(
        'PRODUCTION DEGRADED: Redis unavailable. Using in-memory fallback (single-instance only).',
        details,
      );
    } else {
      const why = reason === 'not_configured' ? 'not configured' : (this.lastFailure() ?? reason);
      this.logger.warn(`Development: Using in-memory rate limiting. Redis: ${why}`, details);
    }
  }
}
