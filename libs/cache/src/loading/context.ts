import type { Duration } from '@roost/redis';
import type { LoadContext } from '../cache.options.js';
import { checkTags, checkTtl } from '../cache.plan.js';

/** What a loader says about its value. */
export class Context implements LoadContext {
  ttlMs: number | undefined;
  skipped = false;
  readonly tags: string[] = [];

  constructor(readonly signal: AbortSignal) {}

  setTtl(ttl: Duration): void {
    this.ttlMs = checkTtl(ttl);
  }

  addTags(...tags: string[]): void {
    this.tags.push(...checkTags(tags));
  }

  skip(): void {
    this.skipped = true;
  }
}
