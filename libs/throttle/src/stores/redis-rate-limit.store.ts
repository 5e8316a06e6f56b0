import type { Commands, Key } from '@roost/redis';
import { charged, fits } from '../algorithms/algorithm.js';
import { decideScripts, type DecideScripts } from './decide.lua.js';
import { RateLimitStore, type DecideMode, type LimitRequest, type StoreVerdict } from './rate-limit.store.js';
import { algorithms, verdictOf } from '../algorithms/verdict.js';

/** No level is this low: the capacity for a request that cannot fit, however long it waits. */
const NEVER = -1;

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
    const [first] = limits;
    return limits.length === 1 && first!.algorithm === 'gcra'
      ? this.#decideOne(first!, mode)
      : this.#decideSeveral(limits, mode);
  }

  async reset(keys: readonly Key[]): Promise<number> {
    if (keys.length === 0) return 0;
    return this.#commands.write<number>('UNLINK', ...keys);
  }

  settle(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  renew(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  adjust(): Promise<never> {
    return Promise.reject(new Error('not yet'));
  }

  block(): Promise<void> {
    return Promise.reject(new Error('not yet'));
  }

  unblock(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  violations(): Promise<never> {
    return Promise.reject(new Error('not yet'));
  }

  async #decideOne(limit: LimitRequest, mode: DecideMode): Promise<StoreVerdict> {
    const script = this.#scripts.one[mode];
    const { allowed, used } = await this.#commands.run(script, { limit: limit.key }, { request: amountsOf(limit) });
    const level = algorithms.gcra.levelOf(used, limit, 0);
    const after = allowed && mode === 'consume' ? charged(level, limit.cost) : level;
    return { allowed, limits: [verdictOf(after, limit, allowed)] };
  }

  async #decideSeveral(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const keys: Key[] = [];
    const requests: number[] = [];
    for (const limit of limits) {
      keys.push(limit.key);
      requests.push(limit.algorithm === 'gcra' ? 0 : limit.windowUs, ...amountsOf(limit));
    }
    const script = this.#scripts.several[mode];
    const { allowed, nowUs, used } = await this.#commands.run(script, { limits: keys }, { requests });
    return {
      allowed,
      limits: limits.map((limit, i) => {
        const level = algorithms[limit.algorithm].levelOf(used(i), limit, nowUs);
        if (!allowed) return verdictOf(level, limit, fits(level, limit.limit, limit.cost));
        return verdictOf(mode === 'consume' ? charged(level, limit.cost) : level, limit, true);
      }),
    };
  }
}

/** What the request needs, and how full the limit may be with it. */
function amountsOf(request: LimitRequest): [need: number, capacity: number] {
  const { algorithm, limit, cost } = request;
  // Checked here, because beyond the limit the product could leave the integers.
  if (limit === 0 || cost > limit) return [0, NEVER];
  const { unit, capacity } = algorithms[algorithm].levelOf(0, request, 0);
  return [cost * unit, capacity];
}
