// Servers
export { RedisServer, type CommandCalls, type CommandMonitor } from './redis-server.js';
export type { RedisServerOptions } from './redis-server.options.js';

// Waiting and ports
export { eventually, type EventuallyOptions } from './eventually.js';
export { freePort } from './ports.js';
export { makeCertificates, type Certificates } from './tls.js';
