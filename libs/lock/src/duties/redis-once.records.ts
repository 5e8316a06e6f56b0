import { isRedisUnavailable, type Commands } from '@roost/redis';
import { LockUnavailableError } from '../lock.errors.js';
import type { Lock } from '../lock.js';
import { mutexKeyOf, onceKeyOf } from '../stores/lock.keys.js';
import { tokenText } from '../stores/lock.token.js';
import { OnceRecords, type OnceRecord, type StoreOutcome } from './once.records.js';
import { storeResult } from './store-result.lua.js';

/** Results in the Redis that the locks are in. */
export class RedisOnceRecords extends OnceRecords {
  readonly backend = 'redis';

  constructor(private readonly commands: Commands) {
    super();
  }

  async find(id: string): Promise<OnceRecord | undefined> {
    const value = await decided(this.commands.read<string | null>('GET', onceKeyOf(id)), false);
    if (value === null) return undefined;
    const at = value.indexOf('|');
    return { fingerprint: value.slice(0, at), result: value.slice(at + 1) };
  }

  store({ key, token }: Lock, id: string, { fingerprint, result }: OnceRecord, keepMs: number): Promise<StoreOutcome> {
    const keys = { mutex: mutexKeyOf(key), record: onceKeyOf(id) };
    const value = `${fingerprint}|${result}`;
    return decided(this.commands.run(storeResult, keys, { token: tokenText(token), value, keepMs }), true);
  }
}

async function decided<T>(asked: Promise<T>, outcomeUnknown: boolean): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw isRedisUnavailable(error) ? new LockUnavailableError(error, outcomeUnknown) : error;
  }
}
