import { Redis, type RedisOptions } from 'ioredis';
import type { Contestant } from '../contestant.js';
import { cork, CopiedCork } from './corks.js';
import { COUNT_LUA, COUNT_TTL_MS, openClient } from './command-client.js';

interface WithCount {
  /** Defined below: EVALSHA with one EVAL when the server does not know the script. */
  count(key: string, ttlMs: number): Promise<number>;
}

/** ioredis with its default settings, and those given; corked, it shows what the cork gains without the rest of Roost. */
export function ioredis(options: RedisOptions, corked = false): Contestant {
  return async (task) => {
    const client = new Redis(task.redisUrl, { ...options, lazyConnect: true });
    client.defineCommand('count', { numberOfKeys: 1, lua: COUNT_LUA });
    await client.connect();
    if (corked) cork(client, new CopiedCork(setImmediate));
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
