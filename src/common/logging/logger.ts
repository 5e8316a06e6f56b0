import { ConsoleLogger } from '@nestjs/common';
import type { Config } from '../config/index.js';

/** One JSON object a line in production, its fields at the top level; in development lines for people. */
export function createLogger({ NODE_ENV }: Pick<Config, 'NODE_ENV'>): ConsoleLogger {
  return NODE_ENV === 'production'
    ? new ConsoleLogger({ json: true, flattenParams: true })
    : new ConsoleLogger({ prefix: 'Roost' });
}
