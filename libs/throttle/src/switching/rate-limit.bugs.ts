import { Logger } from '@nestjs/common';
import { repeatedly } from './repeatedly.js';

const LOG_PAUSE_MS = 60_000;

/** Says in the log, at most once a minute, that Redis refused something for another reason than an outage. */
export function bugLog(context: string, event: string, decides: string): (error: unknown) => void {
  const logger = new Logger(context);
  return repeatedly(LOG_PAUSE_MS, (error: unknown, suppressed: number) =>
    logger.error(`Redis refused to count: a bug. ${decides}`, { event, error: (error as Error).message, suppressed }),
  );
}

/** One log for all that asks Redis about limits. */
export class RateLimitBugs {
  readonly report = bugLog('RateLimiter', 'throttle.bug', 'The outage policies decide.');
}
