import { afterAll, afterEach, beforeAll, describe, it } from '@jest/globals';
import { Bench, type LockFeature, type LockVector, type OpenedLockStore } from './conformance/bench.js';
import { mutexVectors } from './conformance/mutex.vectors.js';
import { properties } from './conformance/properties.js';
import { queueVectors } from './conformance/queue.vectors.js';
import { severalVectors } from './conformance/several.vectors.js';
import { kindVectors, rwVectors, semaphoreVectors } from './conformance/shared.vectors.js';

export { passInRedis } from './conformance/redis-time.js';
export {
  Bench,
  WAITER_TTL_MS,
  type Asked,
  type LockFeature,
  type LockVector,
  type OpenedLockStore,
} from './conformance/bench.js';

/** Each promise of a lock store by its name, for a test that a broken store breaks it. */
export function lockVectors(/** How many schedules each property is tried with. */ runs = 40): readonly LockVector[] {
  return [
    ...mutexVectors,
    ...severalVectors,
    ...queueVectors,
    ...rwVectors,
    ...semaphoreVectors,
    ...kindVectors,
    ...properties(runs),
  ];
}

/**
 * What every lock store must do, ours or a stranger's: the numbered edge cases, and properties of any schedule.
 * @example
 * describeLockStore('memory', () => {
 *   let ms = 0;
 *   const clock = { monotonic: () => ms, wall: () => 1_800_000_000_000 + ms };
 *   const store = new MemoryLockStore({ clock, waiterTtlMs: WAITER_TTL_MS });
 *   return { store, instance: 'here', pass: (by) => void (ms += by), close: () => undefined };
 * });
 */
export function describeLockStore(
  name: string,
  open: () => OpenedLockStore | Promise<OpenedLockStore>,
  {
    runs,
    without = [],
  }: {
    /** How many schedules each property is tried with. @default 40 */
    readonly runs?: number;
    /** What the store cannot do. @default nothing */
    readonly without?: readonly LockFeature[];
  } = {},
): void {
  describe(`lock store: ${name}`, () => {
    let opened: OpenedLockStore;
    let bench: Bench | undefined;
    beforeAll(async () => {
      opened = await open();
    });
    afterEach(() => bench?.close());
    afterAll(() => opened?.close());

    const promises = lockVectors(runs).filter(({ needs }) => !needs.some((feature) => without.includes(feature)));
    it.each(promises)('$name', async ({ check }) => {
      bench = new Bench(opened);
      await check(bench);
    });
  });
}
