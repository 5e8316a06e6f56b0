import type { LoggerService } from '@nestjs/common';
import type { Backend } from './backend.js';

const REPEAT_MS = 300_000;

interface Followed {
  readonly backend: Backend;
  /** The last failure in Redis' own words. */
  readonly lastFailure: () => string | undefined;
}

/**
 * Says in the log which backend serves: once at each return, and while Redis is lost at most once in five minutes,
 * however many connections come and go, and however often.
 */
export class Announcer {
  readonly #followed: Followed[] = [];
  #saidAt = -Infinity;
  #suppressed = 0;
  #reminder: NodeJS.Timeout | undefined;

  constructor(
    private readonly logger: LoggerService,
    private readonly production: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Announces each switch of this backend, and says now what it is on unless it is on Redis. */
  follow(backend: Backend, lastFailure: () => string | undefined): void {
    const followed = { backend, lastFailure };
    this.#followed.push(followed);
    if (backend.current === 'redis') this.#onRedis(backend, 0);
    else this.#onMemory(followed);
    backend.onChange(({ to, afterMs }) =>
      to === 'redis' ? this.#onRedis(backend, afterMs) : this.#onMemory(followed),
    );
  }

  close(): void {
    clearTimeout(this.#reminder);
  }

  #onRedis({ connection }: Backend, afterMs: number): void {
    const details = { event: 'redis.connected', connection, after_ms: afterMs };
    this.logger.log('Redis rate limiting backend connected', details);
  }

  #onMemory(followed: Followed): void {
    const { connection, reason } = followed.backend;
    if (reason === 'configured' || reason === 'forced') {
      const why = reason === 'forced' ? 'by order of an operator' : 'as configured';
      this.logger.log(`In-memory backend ${why} (single-instance only).`, { event: `redis.${reason}`, connection });
    } else if (isLost(followed)) {
      this.#lost(followed);
    }
  }

  #lost(followed: Followed): void {
    clearTimeout(this.#reminder);
    const waitMs = this.#saidAt + REPEAT_MS - this.now();
    if (waitMs > 0) this.#suppressed++;
    else this.#say(followed);
    this.#reminder = setTimeout(() => this.#remind(), waitMs > 0 ? waitMs : REPEAT_MS).unref();
  }

  #remind(): void {
    const still = this.#followed.find(isLost);
    if (still) this.#lost(still);
  }

  #say({ backend, lastFailure }: Followed): void {
    const { reason, connection, since } = backend;
    const details = {
      event: 'redis.lost',
      connection,
      reason,
      since: since.toISOString(),
      suppressed: this.#suppressed,
      error: lastFailure(),
    };
    this.#saidAt = this.now();
    this.#suppressed = 0;
    if (this.production) {
      this.logger.error(
        'PRODUCTION DEGRADED: Redis unavailable. Using in-memory fallback (single-instance only).',
        details,
      );
    } else {
      const why = reason === 'not_configured' ? 'not configured' : (lastFailure() ?? reason);
      this.logger.warn(`Development: Using in-memory rate limiting. Redis: ${why}`, details);
    }
  }
}

/** A further connection without a Redis is a choice; that the application has none at all is worth a line. */
function isLost({ backend }: Followed): boolean {
  const { current, reason, connection } = backend;
  if (current === 'redis' || reason === 'configured' || reason === 'forced') return false;
  return reason !== 'not_configured' || connection === 'default';
}
