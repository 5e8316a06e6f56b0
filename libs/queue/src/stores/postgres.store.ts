import type { PgQueryable } from 'bullmq';
import { ClockSkewError } from '../queue.errors.js';
import { clockSkew } from './clock-skew.js';
import type { StoreFinding } from './queue.store.js';
import { SqlQueueStore, type SqlStoreParts } from './sql.store.js';

const AUDIT_WITHIN_MS = 1_000;
const SKEW_TO_WARN_OF_MS = 1_000;
const LOCK_DURATION_MS = 30_000;

export interface PostgresStoreParts extends SqlStoreParts {
  /** The shortest lock on a job of any queue, in ms. @default 30000 */
  readonly lockDurationMs?: number;
  /** The clock of this process, in ms since 1970. @default that of the system */
  readonly now?: () => number;
}

/** Jobs on a Postgres server. Locks on jobs end by the clocks of the processes, which must not differ much. */
export class PostgresQueueStore extends SqlQueueStore {
  readonly name = 'postgres';
  protected readonly openWithinMs = 2_000;
  readonly #allowedMs: number;
  readonly #now: () => number;

  constructor({ pool, lockDurationMs = LOCK_DURATION_MS, now = Date.now }: PostgresStoreParts) {
    super({ pool });
    this.#allowedMs = Math.round(lockDurationMs / 4);
    this.#now = now;
  }

  async audit(): Promise<readonly StoreFinding[]> {
    if (this.trouble !== undefined) return [];
    const skewMs = await this.#skew().catch(() => 0); // lost meanwhile
    if (Math.abs(skewMs) <= SKEW_TO_WARN_OF_MS) return [];
    const { message } = new ClockSkewError(skewMs, this.#allowedMs);
    return [{ severity: 'warn', about: 'clock-skew', message }];
  }

  /** @throws ClockSkewError */
  protected async prepare(): Promise<void> {
    const skewMs = await this.#skew();
    if (Math.abs(skewMs) > this.#allowedMs) throw new ClockSkewError(skewMs, this.#allowedMs);
  }

  #skew(): Promise<number> {
    const query: PgQueryable['query'] = (text, params) => this.pool.queryWithin(AUDIT_WITHIN_MS, text, params);
    return clockSkew({ query }, this.#now);
  }
}
