import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from '../contestant.js';
import { openPresence } from './presence.js';

/** Heartbeats of this time go in one pipeline. */
const TOGETHER_MS = 100;
/** Three heartbeats. */
const TTL_SECONDS = 15;

const keyOf = (userId: string) => `presence:${userId}`;

/** One key a user, set anew by each heartbeat, on ioredis with default settings. */
export function presenceKeys(asked: 'one by one' | 'pipelined' | 'mget'): Contestant {
  return (task) => {
    const redis = new Redis(task.redisUrl);
    const set = async (userIds: readonly string[]) => {
      const pipeline = redis.pipeline();
      for (const userId of userIds) pipeline.set(keyOf(userId), 'online', 'EX', TTL_SECONDS);
      await pipeline.exec();
    };
    let [waiting, next] = [[] as string[], undefined as Promise<unknown> | undefined];
    const beat = (userId: string) => {
      if (asked === 'one by one') return redis.set(keyOf(userId), 'online', 'EX', TTL_SECONDS);
      waiting.push(userId);
      return (next ??= sleep(TOGETHER_MS).then(() => {
        const userIds = waiting;
        [waiting, next] = [[], undefined];
        return set(userIds);
      }));
    };
    const get = async (userIds: readonly string[]): Promise<readonly unknown[]> => {
      if (asked === 'mget') return redis.mget(...userIds.map(keyOf));
      const pipeline = redis.pipeline();
      for (const userId of userIds) pipeline.get(keyOf(userId));
      return ((await pipeline.exec()) ?? []).map(([, value]) => value);
    };
    const there = async (userIds: readonly string[]) => {
      const values = await get(userIds);
      return userIds.filter((_, index) => values[index] === 'online');
    };
    return openPresence(
      {
        online: { come: set, beat, count: async (userIds) => (await there(userIds)).length },
        room: there,
        close: () => redis.disconnect(),
      },
      task,
    );
  };
}
