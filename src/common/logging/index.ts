export { createLogger } from './logger.js';
export { logRequests, type RateLimitFields } from './request-log.js';
