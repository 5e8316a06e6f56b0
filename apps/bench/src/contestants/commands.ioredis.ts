import { Redis, type RedisOptions } from 'ioredis';
import type { Contestant } from '../contestant.js';
import { COUNT_LUA, COUNT_TTL_MS, openClient } from './command-client.js';

interface WithCount {
  /** Defined below: EVALSHA with one EVAL when the server does not know the script. */
  count(key: string, ttlMs: number): Promise<number>;
}

/** ioredis with its default settings, and those given. */
export function ioredis(options: RedisOptions): Contestant {
  return async (task) => {
    const client = new Redis(task.redisUrl, { ...options, lazyConnect: true });
    client.defineCommand('count', { numberOfKeys: 1, lua: COUNT_LUA });
    await client.connect();
    const scripted = client as unknown as WithCount;
    return openClient(
      {
        count: (id) => scripted.count(`roost:bench:count:${id}`, COUNT_TTL_MS),
        get: () => client.get('roost:bench:value'),
        set: (text) => client.set('roost:bench:value', text, 'PX', 60_000),
        close: async () => void (await client.quit()),
      },
      task,
    );
  };
}
