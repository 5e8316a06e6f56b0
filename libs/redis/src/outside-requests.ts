import { AsyncResource } from 'node:async_hooks';

const outside = new AsyncResource('RoostTimers');

/**
 * Runs it as if no request had caused it: a timer, and each that it starts anew, keeps alive whatever AsyncLocalStorage
 * holds where it was made.
 */
export function outsideRequests<T>(run: () => T): T {
  return outside.runInAsyncScope(run);
}
