import type { PgPool, PgQueryResult } from 'bullmq';

/** What is used of a `pg.Pool` of the application's own; it is never ended. */
export type PgPoolLike = Pick<PgPool, 'connect' | 'on'>;

/** A pool of connections to one Postgres, in which unqualified names are those of the schema `bullmq`. */
export interface QueuePool extends PgPool {
  /** `embedded`: inside this process. Statements there run one after another. */
  readonly kind: 'server' | 'embedded';
  /** One word for why nobody can be served now; undefined when as far as is known everybody can. */
  readonly trouble: string | undefined;
  /** Runs one statement, given up after `withinMs`; its connection is then not used again. */
  queryWithin<R = unknown>(withinMs: number, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>>;
  /** Hears whenever `trouble` begins and ends. Returns what ends that. */
  onTrouble(listener: (trouble: string | undefined) => void): () => void;
  /**
   * Hears what is notified on a channel, from when this resolves, until the returned function is called. After a loss of
   * the connection it listens again by itself and calls once without a payload: something may have been missed.
   */
  listen(channel: string, onPayload: (payload: string | undefined) => void): Promise<() => Promise<void>>;
  /** Closes what was opened here and nothing else, within a second. */
  end(): Promise<void>;
}
