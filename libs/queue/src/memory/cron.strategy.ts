import { defaultRepeatStrategy, type RepeatStrategy } from 'bullmq';
import { SystemQueueClock, type QueueClock } from './queue-clock.js';

/**
 * When a cron pattern is due next by a given clock, as `settings.repeatStrategy` of queues and workers in memory.
 * @example new Queue('reports', { connection, settings: { repeatStrategy: cronStrategy(clock) } });
 */
export function cronStrategy(clock: QueueClock): RepeatStrategy {
  const encode = clock instanceof SystemQueueClock ? (ms: number) => ms : asFarFuture;
  return (millis, options) => {
    if (options.immediately) return encode(clock.now());
    const previous = millis > FAR_FUTURE ? fromFarFuture(millis) : 0;
    const next = defaultRepeatStrategy(Math.max(clock.now(), previous), options);
    return next === undefined ? undefined : encode(next);
  };
}

// BullMQ replaces a due time before Date.now() by Date.now(), and that of a fake clock may be in any year: on its way
// from the strategy to the backend it is therefore shifted to where BullMQ leaves it alone.
const FAR_FUTURE = 4e15;

function asFarFuture(ms: number): number {
  return ms + FAR_FUTURE;
}

/** The due time that a strategy meant. */
export function fromFarFuture(ms: number): number {
  return ms > FAR_FUTURE ? ms - FAR_FUTURE : ms;
}
