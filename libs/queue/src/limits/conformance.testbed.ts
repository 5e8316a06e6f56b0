import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { keyLimitsVectors, type OpenedKeyLimits } from './key-limits-vectors.testbed.js';

/** What all limits per key must do, ours or a stranger's. */
export function describeKeyLimits(name: string, open: () => OpenedKeyLimits | Promise<OpenedKeyLimits>): void {
  describe(`limits per key: ${name}`, () => {
    let opened: OpenedKeyLimits;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened?.close());
    it.each(keyLimitsVectors)('$name', async ({ check }) => {
      await expect(check(opened)).resolves.toBeUndefined();
    });
  });
}
