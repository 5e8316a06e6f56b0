import { Logger } from '@nestjs/common';
import { repeatedly } from './repeatedly.js';

const LOG_PAUSE_MS = 60_000;

/** Says in the log, at most once a minute, that Redis refused something for another reason than an outage. */
export class RateLimitBugs {
  readonly #logger = new Logger('RateLimiter');

  readonly report = repeatedly(LOG_PAUSE_MS, (error: unknown, suppressed: number) =>
    this.#logger.error('Redis refused to count: a bug. The outage policies decide.', {
      event: 'throttle.bug',
      error: (error as Error).message,
      suppressed,
    }),
  );
}
