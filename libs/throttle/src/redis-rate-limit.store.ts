import type { Commands, Key } from '@roost/redis';
import { decideScripts, type DecideScripts } from './decide.lua.js';
import { RateLimitStore, type DecideMode, type LimitRequest, type StoreVerdict } from './rate-limit.store.js';

/** Counts in Redis, by Redis' clock: one script call decides all limits of a request. */
export class RedisRateLimitStore extends RateLimitStore {
  readonly #commands: Commands;
  readonly #scripts: DecideScripts;

  constructor(commands: Commands, scripts: DecideScripts = decideScripts()) {
    super();
    this.#commands = commands;
    this.#scripts = scripts;
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const keys: Key[] = [];
    const requests: (string | number)[] = [];
    for (const { key, algorithm, limit, windowUs, cost } of limits) {
      keys.push(key);
      requests.push(algorithm, limit, windowUs, cost);
    }
    return this.#commands.run(this.#scripts[mode], { limits: keys }, { requests });
  }

  async reset(keys: readonly Key[]): Promise<number> {
    if (keys.length === 0) return 0;
    return this.#commands.write<number>('UNLINK', ...keys);
  }
}
