export { createLogger } from './logger.js';
export { logRequests } from './request-log.js';
