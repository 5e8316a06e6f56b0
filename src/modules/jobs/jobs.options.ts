import type { QueueModuleOptions } from '@roost/queue';
import type { Config } from '../../common/config/index.js';
import type { Database } from '../../common/database/index.js';

/** How the service configures `@roost/queue`. */
export function queueOptions({ QUEUE_BACKEND, NODE_ENV, ROLE }: Config, { place }: Database): QueueModuleOptions {
  return {
    backend: QUEUE_BACKEND,
    database: place,
    workers: ROLE !== 'web',
    production: NODE_ENV === 'production',
  };
}
