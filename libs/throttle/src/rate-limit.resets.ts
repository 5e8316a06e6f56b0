import { isRedisUnavailable, type Backend, type BackendMode } from '@roost/redis';
import type { Limit } from './limit.js';
import { limitKey } from './rate-limit.keys.js';
import type { RateLimitStore } from './rate-limit.store.js';
import type { RateLimitSubjects } from './rate-limit.subjects.js';

/** Forgets counts on both sides of the switch: during a canary or after an outage a subject may have been on either. */
export class RateLimitResets {
  constructor(
    private readonly backend: Backend,
    private readonly redis: RateLimitStore,
    private readonly memory: RateLimitStore,
    private readonly subjects: RateLimitSubjects,
    private readonly mode: BackendMode | undefined,
  ) {}

  /** Resolves to how many counts there were; a Redis that is lost is left out. */
  async reset(limits: Iterable<Limit>, subjectOf: (limit: Limit) => string): Promise<number> {
    const keys = [...limits].flatMap((limit) =>
      this.subjects.everyName(limit, subjectOf(limit)).map((subject) => limitKey(limit.algorithm, limit.name, subject)),
    );
    const here = await this.memory.reset(keys);
    if (this.mode === 'memory' || this.backend.choose('write') === 'memory') return here;
    try {
      return here + (await this.redis.reset(keys));
    } catch (error) {
      if (isRedisUnavailable(error)) return here;
      throw error;
    }
  }
}
