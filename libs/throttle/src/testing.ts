import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Commands } from '@roost/redis';
import { blockingVectors } from './conformance/blocking.vectors.js';
import { heldVectors } from './conformance/held.vectors.js';
import { models } from './conformance/model.js';
import { properties } from './conformance/properties.js';
import { vectors } from './conformance/vectors.js';
import { windowVectors } from './conformance/window.vectors.js';
import { decideScripts, type DecideVariant } from './stores/decide.lua.js';
import type { RateLimitStore } from './stores/rate-limit.store.js';
import { RedisRateLimitStore } from './stores/redis-rate-limit.store.js';
import type { OpenedRateLimitStore } from './conformance/bench.js';

// Assertions, for a test that a broken store fails them
export {
  assertAllOrNothing,
  assertBlocksDoNotExtend,
  assertExactUnderConcurrency,
  assertHoldsExpire,
  assertPeekChangesNothing,
  assertRetryIsExact,
  assertSettledOnce,
} from './conformance/assertions.js';
export { ALGORITHMS } from './algorithms/algorithm.js';
export { Bench, EPOCH_US, type Ask, type OpenedRateLimitStore } from './conformance/bench.js';

/**
 * What every rate limit store must do, ours or a stranger's: the numbered edge cases, and properties of any schedule.
 * @example
 * describeRateLimitStore('memory', () => {
 *   let nowUs = 0;
 *   const store = new MemoryRateLimitStore({ nowUs: () => nowUs });
 *   return { store, setClock: (us) => void (nowUs = us), close: () => store.close() };
 * });
 */
export function describeRateLimitStore(
  name: string,
  open: () => OpenedRateLimitStore | Promise<OpenedRateLimitStore>,
  { runs = 40 }: { /** How many schedules each property is tried with. */ readonly runs?: number } = {},
): void {
  describe(`rate limit store: ${name}`, () => {
    let opened: OpenedRateLimitStore;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    vectors(() => opened);
    windowVectors(() => opened);
    heldVectors(() => opened);
    blockingVectors(() => opened);
    properties(() => opened, runs);
    models(() => opened, runs);
  });
}

/**
 * The Redis store with a clock that tests set, kept under a key of its own. It runs another script text: the one of
 * production cannot be given a time. Expiries get a minute on top, because Redis' own clock goes on.
 */
export function redisStoreWithClock(
  commands: Commands,
  /** Puts shortcuts before the store; their scripts need the same clock. */
  wrap: (store: RateLimitStore, variant: DecideVariant) => RateLimitStore = (store) => store,
): Omit<OpenedRateLimitStore, 'close'> {
  const clock = `test-clock:${Math.random()}`;
  const variant = { clock: `{ 0, tonumber(redis.call('GET', '${clock}')) }`, keepMs: 60_000 };
  return {
    store: wrap(new RedisRateLimitStore(commands, decideScripts(variant)), variant),
    setClock: async (us) => void (await commands.write('SET', clock, us, 'PX', 3_600_000)),
    ttlMs: (key) => commands.read<number>('PTTL', key),
  };
}
