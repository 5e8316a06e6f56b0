import { isRedisUnavailable, type Backend, type BackendMode, type Key } from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { RateLimitStore } from '../stores/rate-limit.store.js';
import type { RateLimitSubjects } from '../requests/rate-limit.subjects.js';
import type { RedisOrders } from './redis-orders.js';

/** Says whom a limit is asked about: a subject's name. */
export type SubjectOf = (limit: Limit) => string;

/**
 * What is remembered about subjects on both sides of the switch: during a canary, a ramp or after an outage a subject may
 * have been on either. What cannot be told to Redis now is told as soon as Redis is back.
 */
export class RateLimitRecords {
  constructor(
    private readonly backend: Backend,
    private readonly redis: RateLimitStore,
    /** Those of this process: by choice, and in an outage. */
    private readonly local: readonly RateLimitStore[],
    private readonly orders: RedisOrders,
    private readonly subjects: RateLimitSubjects,
    private readonly mode: BackendMode | undefined,
    /** Called with the names of keys whose refusals may be over. */
    private readonly onForgotten: (keys: readonly string[]) => void = () => undefined,
  ) {}

  /** Forgets counts, blocks and refusals. Resolves to how many there were; what waits for Redis is not among them. */
  async reset(limits: Iterable<Limit>, subjectOf: SubjectOf): Promise<number> {
    const all = [...limits];
    const keys = [...this.#keys(all, subjectOf), ...this.#violationKeys(all, subjectOf)];
    return this.#returning(keys, async () => {
      const here = await this.#here((store) => store.reset(keys));
      return this.#onlyHere ? here : here + (await this.orders.reset(keys));
    });
  }

  /** Refuses for so long: in this process at once, whatever Redis does. */
  async block(limits: Iterable<Limit>, subjectOf: SubjectOf, forMs: number): Promise<void> {
    const keys = this.#keys(limits, subjectOf);
    await this.#returning(keys, async () => {
      for (const store of this.local) await store.block(keys, forMs);
      if (!this.#onlyHere) await this.orders.block(keys, forMs);
    });
  }

  /** Resolves to how many blocks there were; what waits for Redis is not among them. */
  async unblock(limits: Iterable<Limit>, subjectOf: SubjectOf): Promise<number> {
    const keys = this.#keys(limits, subjectOf);
    return this.#returning(keys, async () => {
      const here = await this.#here((store) => store.unblock(keys));
      return this.#onlyHere ? here : here + (await this.orders.unblock(keys));
    });
  }

  /** How many refusals are remembered: each is counted on one side. Without Redis, those of this process. */
  async violations(limits: Iterable<Limit>, subjectOf: SubjectOf): Promise<number> {
    const keys = this.#violationKeys(limits, subjectOf);
    const here = await this.#here(async (store) => sum(await store.violations(keys)));
    if (this.#onlyHere || keys.length === 0 || this.backend.state().read === 'open') return here;
    try {
      return here + sum(await this.redis.violations(keys));
    } catch (error) {
      if (isRedisUnavailable(error)) return here;
      throw error;
    }
  }

  /** Also when it failed: it may have happened all the same. */
  async #returning<T>(keys: readonly Key[], change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.onForgotten(keys.map(({ name }) => name));
    }
  }

  async #here(ask: (store: RateLimitStore) => Promise<number>): Promise<number> {
    return sum(await Promise.all(this.local.map(ask)));
  }

  get #onlyHere(): boolean {
    return this.mode === 'memory' || !this.backend.configured;
  }

  #keys(limits: Iterable<Limit>, subjectOf: SubjectOf): Key[] {
    return [...limits].flatMap((limit) =>
      this.subjects.everyName(limit, subjectOf(limit)).map((subject) => limitKey(limit.algorithm, limit.name, subject)),
    );
  }

  #violationKeys(limits: Iterable<Limit>, subjectOf: SubjectOf): Key[] {
    return [...limits].flatMap((limit) => {
      const names = this.subjects.everyName(limit, subjectOf(limit)); // also where nothing is kept: it may be no subject
      return limit.block === undefined ? [] : names.map((subject) => limit.keys.violations(subject));
    });
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
