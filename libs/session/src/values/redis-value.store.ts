import { defineScript, type Commands, type Key } from '@roost/redis';
import { ValueStore, type StoredValue } from './value.store.js';

/** KEYS the value · returns the value and its time to live (ms), nothing when there is none · O(1) */
const readValue = defineScript('session.value', {
  keys: ['value'],
  args: [],
  readOnly: true,
  reply: ([value, leftMs]: [string | null, number]): StoredValue | undefined =>
    value === null ? undefined : { value, leftMs },
  lua: `return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }`,
});

/** Keeps values in Redis. */
export class RedisValueStore extends ValueStore {
  readonly name = 'redis';

  constructor(private readonly commands: Commands) {
    super();
  }

  async set(key: Key, value: string, ttlMs: number): Promise<void> {
    await this.commands.write('SET', key, value, 'PX', ttlMs);
  }

  get(key: Key): Promise<StoredValue | undefined> {
    return this.commands.run(readValue, { value: key }, {});
  }

  async take(key: Key): Promise<string | undefined> {
    return (await this.commands.write<string | null>('GETDEL', key)) ?? undefined;
  }

  async delete(key: Key): Promise<boolean> {
    return (await this.commands.write<number>('DEL', key)) === 1;
  }
}
