// Module and storage
export { RoostThrottlerModule } from './throttler/throttler.module.js';
export { RoostThrottlerStorage, type ThrottlerHit, type ThrottlerRecord } from './throttler/throttler.storage.js';
export type { RetryAfterStyle, RoostThrottlerOptions } from './throttler/throttler.options.js';

// Guard
export { RoostThrottlerGuard } from './throttler/throttler.guard.js';
