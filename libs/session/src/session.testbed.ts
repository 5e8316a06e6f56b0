import { connect, type Connected } from '@roost/redis/testing';
import type { RedisModuleOptions } from '@roost/redis';
import { SessionConfig } from './session.config.js';
import { SessionMetrics } from './session.metrics.js';
import type { SessionOptions } from './session.options.js';
import { SessionRoom } from './session.room.js';

/** What one process would have: a connection, and everything of this lib on it. */
export interface Process {
  readonly room: SessionRoom;
  readonly redis: Connected;
  readonly logged: { readonly level: string; readonly message: unknown }[];
  /** Lets time go by for what this process keeps itself. */
  pass(ms: number): void;
  close(): Promise<void>;
}

/** Starts a process. */
export async function start(options: SessionOptions = {}, redisOptions: RedisModuleOptions = {}): Promise<Process> {
  const redis = await connect(redisOptions);
  try {
    return await startOn(redis, options);
  } catch (error) {
    await redis.close();
    throw error;
  }
}

async function startOn(redis: Connected, options: SessionOptions): Promise<Process> {
  const logged: { level: string; message: unknown }[] = [];
  const log = (level: string) => (message: unknown, details: unknown) =>
    void logged.push({ level, message, ...Object(details) });
  let aheadMs = 0;
  const room = new SessionRoom({
    config: new SessionConfig(options),
    connection: redis.connection,
    metrics: new SessionMetrics(redis.metrics),
    logger: { warn: log('warn'), error: log('error') },
    clock: () => performance.timeOrigin + performance.now() + aheadMs,
  });
  await room.open();
  const close = async () => {
    room.close();
    await redis.close();
  };
  return { room, redis, logged, pass: (ms) => void (aheadMs += ms), close };
}
