import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { Bench, type OpenedPresenceStore, type PresenceVector } from './conformance/bench.js';
import { memberVectors } from './conformance/members.vectors.js';
import { nodeVectors } from './conformance/nodes.vectors.js';

export { Bench, REPLAY, type OpenedPresenceStore, type PresenceVector } from './conformance/bench.js';
export { passInRedis } from './conformance/redis-time.js';

/** Each promise of a presence store by its name, for a test that a broken store breaks it. */
export const presenceVectors: readonly PresenceVector[] = [...memberVectors, ...nodeVectors];

/**
 * What every presence store must do, ours or a stranger's.
 * @example
 * describePresenceStore('memory', () => openMemoryStore());
 */
export function describePresenceStore(
  name: string,
  open: () => OpenedPresenceStore | Promise<OpenedPresenceStore>,
): void {
  describe(`presence store: ${name}`, () => {
    let opened: OpenedPresenceStore;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened?.close());

    it.each([...presenceVectors])('$name', ({ check }) => check(new Bench(opened)));
  });
}
