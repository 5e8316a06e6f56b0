import { cache } from './cache.js';
import { commands } from './commands.js';
import { http } from './http.js';
import { rateLimit } from './rate-limit.js';
import { locks } from './locks.js';
import { queue } from './queue.js';
import { presence } from './presence.js';
import type { Suite } from './suite.js';

/** The suites that measure throughput; `outage` measures time until an answer. */
export const suites: readonly Suite[] = [rateLimit, http, locks, cache, queue, presence, commands];
