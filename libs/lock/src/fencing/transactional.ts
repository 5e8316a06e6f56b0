/** A transaction of node-postgres: the client that BEGIN was sent on. */
export interface QueryClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A pool of node-postgres. */
export interface ClientPool<Client extends QueryClient = QueryClient> {
  connect(): Promise<Client & { release(error?: Error | boolean): void }>;
  readonly totalCount: number;
}

/** PGlite, or a Drizzle database on PGlite or on a pool of node-postgres. */
export interface TransactionRunner<Tx = unknown> {
  transaction(run: (tx: Tx) => Promise<unknown>): Promise<unknown>;
}

/** A database whose transactions can be fenced. */
export type Transactional = ClientPool | TransactionRunner;

/** What the body of a fenced transaction gets: the library's own transaction, or a client of the pool. */
export type TransactionOf<Db> = Db extends {
  transaction(run: (tx: infer Tx) => Promise<unknown>, ...rest: never[]): unknown;
}
  ? Tx
  : // That of node-postgres has a second signature, with a callback: only the last one is matched unless both are named.
    Db extends { connect: { (): Promise<infer Client>; (callback: never): void } }
    ? Client
    : Db extends ClientPool<infer Client>
      ? Client
      : never;
