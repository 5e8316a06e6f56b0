import { RedisMetrics } from './connection-metrics.js';
import { Metrics } from './metrics.js';
import { RedisConnection } from './redis-connection.js';
import { resolveRedisOptions, type RedisModuleOptions } from './redis.options.js';

/** A line that was logged. */
export interface LoggedLine {
  readonly level: 'log' | 'warn' | 'error';
  readonly message: string;
  readonly details: Record<string, unknown>;
}

/** A connection as the module makes it, without a module; what it logs is kept. */
export async function connect(options: RedisModuleOptions) {
  const metrics = new Metrics();
  const logged: LoggedLine[] = [];
  const at = (level: LoggedLine['level']) => (message: string, details: Record<string, unknown>) =>
    void logged.push({ level, message, details });
  const resolved = resolveRedisOptions(options);
  const connection = new RedisConnection('default', resolved.connections.get('default')!, {
    ...resolved,
    logger: { log: at('log'), warn: at('warn'), error: at('error') },
    metrics: new RedisMetrics(metrics),
  });
  connection.open();
  await connection.boot();
  const { backend, pubsub } = connection;
  return { connection, backend, pubsub, commands: backend.commands, metrics, logged, close: () => connection.close() };
}

/** What {@link connect} gives. */
export type Connected = Awaited<ReturnType<typeof connect>>;
