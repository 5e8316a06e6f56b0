// Module
export { HealthModule } from './health.module.js';

// Services
export { Lifecycle } from './lifecycle.js';
export { ReadinessService } from './readiness.js';

// Types
export type { HealthModuleOptions } from './health.options.js';
export type { Readiness, ReadinessStatus } from './readiness.js';
