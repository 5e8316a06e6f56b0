import type { PgPoolClient, PgQueryResult } from 'bullmq';
import { EventEmitter } from 'node:events';
import { QueueSetupError } from '../queue.errors.js';
import { OutageError, outageOf } from './outage.js';
import { ServerHealth } from './server-health.js';
import { ServerListener } from './server-listener.js';
import type { PgPoolLike, QueuePool } from './queue-pool.js';

const CONNECT_WITHIN_MS = 1_500;
const QUERY_WITHIN_MS = 10_000;
const PROBE_WITHIN_MS = 1_000;
const END_WITHIN_MS = 500;
const MAX_CONNECTIONS = 10;

export interface ServerParts {
  readonly pool: PgPoolLike;
  /** Whether the connections are this pool's alone: then they see the schema `bullmq`, and are closed by it. */
  readonly own: boolean;
  /** A connection to listen on, that is not one of the pool's. */
  readonly connect: () => Promise<PgPoolClient>;
}

/** A Postgres server. A statement has a deadline, with which its connection goes: a server that hangs holds up nobody for long. */
export class ServerPool extends EventEmitter implements QueuePool {
  readonly kind = 'server';
  readonly #health = new ServerHealth(() => this.#probe());
  readonly #listener: ServerListener;
  readonly #heard = new WeakSet<PgPoolClient>();
  #ended = false;

  constructor(private readonly parts: ServerParts) {
    super();
    this.setMaxListeners(0); // each of BullMQ's connections listens
    // Told of connections that break while nobody uses them; without a listener they would end the process.
    parts.pool.on('error', (error) => this.#health.learn(error));
    parts.pool.on('connect', (client) => this.#hear(client));
    this.#listener = new ServerListener(parts.connect, (error) => this.#health.learn(error));
  }

  /** Makes connections of its own. */
  static async to(url: string): Promise<ServerPool> {
    const { Pool, Client } = await load();
    const config = connectionTo(url);
    const pool = new Pool({ ...config, max: MAX_CONNECTIONS, idleTimeoutMillis: 30_000 });
    const connect = async () => {
      const client = new Client(config);
      client.on('error', () => undefined); // whoever uses it listens as well
      await client.connect();
      const release = () => void client.end().catch(() => undefined); // a server that hangs never says goodbye
      return Object.assign(client, { release }) as unknown as PgPoolClient;
    };
    return new ServerPool({ pool: pool as unknown as PgPoolLike, own: true, connect });
  }

  /** Borrows connections of the application's. */
  static over(pool: PgPoolLike): ServerPool {
    return new ServerPool({ pool, own: false, connect: () => pool.connect() });
  }

  get trouble(): string | undefined {
    return this.#ended ? 'closed' : this.#health.trouble;
  }

  query<R = unknown>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.queryWithin<R>(QUERY_WITHIN_MS, text, params);
  }

  async queryWithin<R = unknown>(
    withinMs: number,
    text: string,
    params?: readonly unknown[],
  ): Promise<PgQueryResult<R>> {
    const { trouble } = this;
    if (trouble !== undefined) throw new OutageError(trouble, false);
    return this.#run<R>(withinMs, text, params);
  }

  async connect(): Promise<PgPoolClient> {
    return this.#lend(CONNECT_WITHIN_MS);
  }

  onTrouble(listener: (trouble: string | undefined) => void): () => void {
    return this.#health.onChange(listener);
  }

  listen(channel: string, onPayload: (payload: string | undefined) => void): Promise<() => Promise<void>> {
    return this.#listener.listen(channel, onPayload);
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#health.stop();
    this.#listener.close();
    if (!this.parts.own) return;
    const { pool } = this.parts as unknown as { pool: { end(): Promise<void> } };
    await Promise.race([pool.end(), new Promise((resolve) => setTimeout(resolve, END_WITHIN_MS).unref())]);
  }

  async #run<R>(withinMs: number, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const endsAt = performance.now() + withinMs;
    const client = await this.#lend(withinMs);
    const send = (sql: string, values?: readonly unknown[]) => {
      const query_timeout = Math.max(1, Math.ceil(endsAt - performance.now()));
      return client.query<R>({ text: sql, values, query_timeout } as unknown as string);
    };
    let broken = true;
    try {
      const result = await (this.parts.own ? send(text, params) : inSchema(send, text, params));
      broken = false;
      return result;
    } catch (error) {
      broken = isBroken(error);
      throw this.#judged(error, true);
    } finally {
      client.release(broken);
    }
  }

  /** A connection, within the time: a pool of the application's may take longer, and gets back what it then lends. */
  #lend(withinMs: number): Promise<PgPoolClient> {
    if (this.#ended) return Promise.reject(new OutageError('closed', false));
    return new Promise((resolve, reject) => {
      let late = false;
      const giveUp = () => {
        late = true;
        reject(this.#judged(new Error('timeout exceeded when trying to connect'), false) as Error);
      };
      const timer = setTimeout(giveUp, withinMs);
      this.parts.pool.connect().then(
        (client) => {
          if (late) return client.release();
          clearTimeout(timer);
          this.#hear(client);
          resolve(client);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(this.#judged(error, false) as Error); // nobody hears of it when it is late
        },
      );
    });
  }

  /**
   * The pool stops listening when it lends a connection, and whoever borrows it is told a moment later: too late for an
   * error that was read together with the answer before it. So each connection is listened to for all its life.
   */
  #hear(client: PgPoolClient): void {
    if (this.#heard.has(client)) return;
    this.#heard.add(client);
    client.on('error', (error) => this.#health.learn(error));
  }

  #judged(error: unknown, sent: boolean): unknown {
    const reason = outageOf(error);
    if (reason === undefined) return error;
    this.#health.learn(error);
    return new OutageError(reason, sent, { cause: error });
  }

  async #probe(): Promise<void> {
    await this.#run(PROBE_WITHIN_MS, 'SELECT 1');
  }
}

type Send<R> = (text: string, values?: readonly unknown[]) => Promise<PgQueryResult<R>>;

/** For one transaction: the session is the application's. */
async function inSchema<R>(send: Send<R>, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
  await send('BEGIN; SET LOCAL search_path TO bullmq');
  try {
    const result = await send(text, params);
    await send('COMMIT');
    return result;
  } catch (error) {
    if (!isBroken(error)) await send('ROLLBACK');
    throw error;
  }
}

/** Whether the connection is of no more use: everything but an answer of the server. */
function isBroken(error: unknown): boolean {
  const { severity } = error as { severity?: unknown };
  return severity !== 'ERROR';
}

function connectionTo(url: string) {
  const theirs = new URL(url).searchParams.get('options') ?? '';
  const options = `${theirs} -c search_path=bullmq -c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000`;
  const connectionString = new URL(url);
  connectionString.searchParams.delete('options'); // it would win over ours
  return {
    connectionString: connectionString.href,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'roost-queue',
    options: options.trim(),
  };
}

/** Loaded only when it is used: it need not be installed. */
async function load(): Promise<typeof import('pg')> {
  try {
    return (await import('pg')).default as unknown as typeof import('pg');
  } catch (error) {
    throw new QueueSetupError('a Postgres server needs the package `pg`', { cause: error });
  }
}
