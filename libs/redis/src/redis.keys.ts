import type { KeyDefinition } from './key.js';
import { probeKey } from './probe.js';

/** Every kind of key that this lib writes. */
export const redisKeys: readonly KeyDefinition[] = [probeKey];
