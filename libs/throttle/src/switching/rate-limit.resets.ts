import { isRedisUnavailable, type Backend, type BackendMode, type Key } from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { RateLimitStore } from '../stores/rate-limit.store.js';
import type { RateLimitSubjects } from '../requests/rate-limit.subjects.js';

/** How many keys wait for a lost Redis; the oldest is given up beyond it, and counts until it expires. */
const MAX_WAITING = 10_000;

/**
 * Forgets counts on both sides of the switch: during a canary, a ramp or after an outage a subject may have been on
 * either. What cannot be forgotten in Redis now is, as soon as Redis is back.
 */
export class RateLimitResets {
  readonly #waiting = new Map<string, Key>();

  constructor(
    private readonly backend: Backend,
    private readonly redis: RateLimitStore,
    private readonly memory: RateLimitStore,
    private readonly subjects: RateLimitSubjects,
    private readonly mode: BackendMode | undefined,
  ) {
    backend.onChange(({ to }) => {
      if (to === 'redis') void this.#forgetWaiting();
    });
  }

  /** Resolves to how many counts there were; what waits for Redis is not among them. */
  async reset(limits: Iterable<Limit>, subjectOf: (limit: Limit) => string): Promise<number> {
    const keys = [...limits].flatMap((limit) =>
      this.subjects.everyName(limit, subjectOf(limit)).map((subject) => limitKey(limit.algorithm, limit.name, subject)),
    );
    const here = await this.memory.reset(keys);
    return this.mode === 'memory' || !this.backend.configured ? here : here + (await this.#resetInRedis(keys));
  }

  async #resetInRedis(keys: readonly Key[]): Promise<number> {
    // Also while traffic ramps up, when Redis already decides about some.
    if (this.backend.state().write === 'open') return this.#wait(keys);
    try {
      return await this.redis.reset(keys);
    } catch (error) {
      if (isRedisUnavailable(error)) return this.#wait(keys);
      throw error;
    }
  }

  #wait(keys: readonly Key[]): 0 {
    for (const key of keys) this.#waiting.set(key.name, key);
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(oldest);
    }
    return 0;
  }

  async #forgetWaiting(): Promise<void> {
    const keys = [...this.#waiting.values()];
    this.#waiting.clear();
    try {
      await this.redis.reset(keys);
    } catch {
      this.#wait(keys); // lost again: at the next return
    }
  }
}
