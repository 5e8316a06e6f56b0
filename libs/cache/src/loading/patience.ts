import { CacheTimeoutError } from '../cache.errors.js';
import type { Plan } from '../cache.plan.js';
import type { ServerClock } from '../near/server-clock.js';
import { isKept, type Held } from '../values/held.js';
import type { Flight } from './flight.js';
import type { Landing } from './journey.js';

/**
 * Waits for a load as long as the caller's plan allows. Resolves to undefined when the stale value is to be given instead.
 * @throws CacheTimeoutError after `hardTimeout`, or what the load throws, without a stale value or where `staleIfError`
 * does not want it.
 */
export async function waitFor(
  flight: Flight,
  plan: Plan,
  stale: Held | undefined,
  clock: Pick<ServerClock, 'now'>,
): Promise<Landing | undefined> {
  try {
    return await inTime(flight, plan, stale, clock);
  } catch (error) {
    if (!isKept(stale, clock.now()) || !plan.serveStale(error)) throw error;
    return undefined;
  }
}

async function inTime(
  flight: Flight,
  { softTimeoutMs, hardTimeoutMs, backgroundCompletion }: Plan,
  stale: Held | undefined,
  clock: Pick<ServerClock, 'now'>,
): Promise<Landing | undefined> {
  const kept = (inMs: number) => isKept(stale, clock.now() + inMs);
  const soft = softTimeoutMs !== undefined && softTimeoutMs < (hardTimeoutMs ?? Infinity) && kept(softTimeoutMs);
  const limitMs = soft ? softTimeoutMs : hardTimeoutMs;
  flight.join();
  if (limitMs === undefined) return flight.ended;
  let timer: NodeJS.Timeout | undefined;
  const over = Symbol('over');
  const limit = new Promise<typeof over>((resolve) => (timer = setTimeout(resolve, limitMs, over)));
  const landing = limitMs === 0 ? over : await Promise.race([flight.ended, limit]).finally(() => clearTimeout(timer));
  clearTimeout(timer);
  if (landing !== over) return landing;
  const error = new CacheTimeoutError(limitMs);
  if (soft && hardTimeoutMs !== undefined && backgroundCompletion === undefined) {
    leaveAfter(flight, hardTimeoutMs - limitMs, new CacheTimeoutError(hardTimeoutMs));
  } else flight.leave(backgroundCompletion ?? soft, error);
  if (soft || kept(0)) return undefined;
  throw error;
}

/** Nobody waits for the value, but the load has its time all the same: one that hangs would keep its lease for ever. */
function leaveAfter(flight: Flight, ms: number, error: Error): void {
  const timer = setTimeout(() => flight.leave(false, error), ms).unref();
  const over = () => clearTimeout(timer);
  flight.ended.then(over, over);
}
