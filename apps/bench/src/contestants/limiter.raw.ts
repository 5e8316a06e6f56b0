import { Redis, type RedisOptions } from 'ioredis';
import type { Contestant } from '../contestant.js';
import { COUNT_LUA } from './command-client.js';
import { limiterOf, openLimiter } from './limiter.js';

const WINDOW_MS = 3_600_000;

interface WithCount {
  /** Defined below: EVALSHA with one EVAL when the server does not know the script. */
  count(key: string, ttlMs: number): Promise<number>;
}

/** The smallest limiter: one counter script by EVALSHA. */
export function rawEvalsha(options: RedisOptions): Contestant {
  return async (task) => {
    const client = new Redis(task.redisUrl, { ...options, lazyConnect: true });
    client.defineCommand('count', { numberOfKeys: 1, lua: COUNT_LUA });
    await client.connect();
    const scripted = client as unknown as WithCount;
    return open(
      task,
      (key) => scripted.count(key, WINDOW_MS),
      () => client.disconnect(),
    );
  };
}

/** A counter that is never forgotten: less than any limiter can do. */
export const rawIncr: Contestant = async (task) => {
  const client = new Redis(task.redisUrl, { lazyConnect: true });
  await client.connect();
  return open(
    task,
    (key) => client.incr(key),
    () => client.disconnect(),
  );
};

function open(task: Parameters<Contestant>[0], count: (key: string) => Promise<number>, close: () => void) {
  const passes = (policy: string, subject: string, limit: number) =>
    count(`roost:bench:${policy}:${subject}`).then((hits) => hits <= limit);
  return openLimiter(limiterOf(passes, close), task);
}
