import { show } from '@roost/redis';
import type { DecideMode, Hold, LimitRequest, Settlement } from './rate-limit.store.js';

/** A hold of more would not be told apart in a value, and could be no name of a sorted set's member. */
const HOLD_ID = /^[\x21-\x2b\x2d-\x7e]{1,64}$/;
const MAX_MS = 1e12;

// Programming errors, found before anything is counted. They are cheap: every decision runs through them.

/** @throws RangeError or TypeError when a store cannot count such a request. */
export function checkRequests(limits: readonly LimitRequest[], mode: DecideMode): void {
  for (const request of limits) {
    const { cost, limit, windowUs, hold, block } = request;
    if (!Number.isSafeInteger(cost) || cost < 0) fail('cost', 'a non-negative integer below 2^53', cost);
    if (!Number.isSafeInteger(limit) || limit < 0) fail('limit', 'a non-negative integer below 2^53', limit);
    if (!Number.isSafeInteger(windowUs) || windowUs <= 0) fail('windowUs', 'a positive integer', windowUs);
    if (hold !== undefined) checkHold(hold);
    else if (request.algorithm === 'concurrency' && mode === 'consume' && cost > 0) {
      throw new TypeError(
        'Expected a `hold` with a limit of `concurrency`: without one its slots cannot be given back.',
      );
    }
    if (block !== undefined) {
      checkMs('block.forMs', block.forMs);
      checkMs('block.withinMs', block.withinMs);
      if (!Number.isSafeInteger(block.after) || block.after <= 0)
        fail('block.after', 'a positive integer', block.after);
    }
  }
}

/** @throws RangeError when a store cannot charge or give back so much. */
export function checkChanges(limits: readonly LimitRequest[]): void {
  for (const { cost, limit, windowUs } of limits) {
    if (!Number.isSafeInteger(cost)) fail('cost', 'an integer below 2^53', cost);
    if (!Number.isSafeInteger(limit) || limit < 0) fail('limit', 'a non-negative integer below 2^53', limit);
    if (!Number.isSafeInteger(windowUs) || windowUs <= 0) fail('windowUs', 'a positive integer', windowUs);
  }
}

/** @throws RangeError when a store cannot settle this. */
export function checkSettlements(settlements: readonly Settlement[]): void {
  for (const { cost, held, holdId } of settlements) {
    if (!Number.isSafeInteger(cost) || cost < 0) fail('cost', 'a non-negative integer below 2^53', cost);
    if (!Number.isSafeInteger(held) || held < 0) fail('held', 'a non-negative integer below 2^53', held);
    if (!HOLD_ID.test(holdId)) fail('holdId', '1 to 64 printable ASCII characters without space and comma', holdId);
  }
}

/** @throws RangeError when it is no length of time for a block. */
export function checkMs(name: string, ms: number): void {
  if (!Number.isSafeInteger(ms) || ms <= 0 || ms > MAX_MS) fail(name, 'a positive integer up to 10^12', ms);
}

function checkHold({ id, expiresMs }: Hold): void {
  if (!HOLD_ID.test(id)) fail('hold.id', '1 to 64 printable ASCII characters without space and comma', id);
  if (expiresMs !== null) checkMs('hold.expiresMs', expiresMs);
}

function fail(name: string, expected: string, value: unknown): never {
  throw new RangeError(`Expected \`${name}\` to be ${expected}, got ${show(value)}.`);
}
