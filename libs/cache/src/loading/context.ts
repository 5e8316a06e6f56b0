import type { Duration } from '@roost/redis';
import type { LoadContext } from '../cache.options.js';
import { checkTags, checkTtl } from '../cache.plan.js';

/** What a loader says about its value. */
export class Context implements LoadContext {
  ttlMs: number | undefined;
  skipped = false;
  #all: readonly string[];

  constructor(
    readonly signal: AbortSignal,
    /** The tags that were known before. */
    private readonly planned: readonly string[],
  ) {
    this.#all = planned;
  }

  /** Those that are only known now. */
  get tags(): readonly string[] {
    return this.#all.slice(this.planned.length);
  }

  setTtl(ttl: Duration): void {
    this.ttlMs = checkTtl(ttl);
  }

  addTags(...tags: string[]): void {
    this.#all = checkTags([...this.#all, ...tags]);
  }

  skip(): void {
    this.skipped = true;
  }
}
