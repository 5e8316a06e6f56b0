// Servers
export { RedisServer, type CommandCalls, type CommandMonitor } from './redis-server.js';
export type { RedisServerOptions } from './redis-server.options.js';
export { PostgresServer, type PostgresServerOptions } from './postgres-server.js';

// Mail
export { MailServer, type Mail, type MailServerOptions } from './mail-server.js';

// Networks
export { FaultProxy, type FaultProxyOptions } from './fault-proxy.js';

// Processes
export { ServiceProcess, type LogEntry, type ProcessExit, type ServiceProcessOptions } from './service-process.js';

// Programs of this machine
export { findProgram } from './programs.js';

// Waiting and ports
export { eventually, type EventuallyOptions } from './eventually.js';
export { freePort } from './ports.js';

// Certificates
export { makeCertificates, type Certificates } from './tls.js';
