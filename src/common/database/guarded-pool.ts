import pg from 'pg';
import type { Availability } from './availability.js';
import { DatabaseUnavailableError } from './database.errors.js';
import { markConnectionError, outageAtConnect, outageOf } from './outages.js';

const MAX_CONNECTIONS = 10;
const CONNECT_WITHIN_MS = 1_500;
/** A request that waits for longer is told to come back: with a server that hangs, all would hang. */
const WITHIN_MS = 2_000;
/** So early that the answer to whether the server hangs is there when the time is over. */
const SUSPECT_AFTER_MS = 800;

// Nobody keeps a row for long: not a slow statement, and not a process that was stopped between two of them. As a
// statement, because poolers refuse unknown parameters of a connection.
const LIMITS = `SET statement_timeout = ${WITHIN_MS}; SET idle_in_transaction_session_timeout = ${WITHIN_MS}`;

type ConnectCallback = NonNullable<Parameters<pg.Pool['connect']>[0]>;

/**
 * Connections to a server of Postgres. Each is lent for two seconds at most and then broken off, so that whoever uses it
 * is answered also when the server hangs; while the server is lost, none is lent.
 */
export class GuardedPool extends pg.Pool {
  readonly #limited = new WeakSet<pg.PoolClient>();

  constructor(
    url: string,
    private readonly availability: Availability,
  ) {
    super({ ...connectionTo(url, CONNECT_WITHIN_MS), max: MAX_CONNECTIONS, idleTimeoutMillis: 30_000 });
    const learn = (error: Error) => {
      markConnectionError(error);
      availability.learn(error);
    };
    // Told of connections that break while nobody uses them; without a listener they would end the process.
    this.on('error', learn);
    // The pool stops listening when it lends a connection, and whoever borrows it is told a moment later: too late for an
    // error that was read together with the answer before it. So each connection is listened to for all its life.
    this.on('connect', (client) => client.on('error', learn));
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const lent = this.#lend();
    if (callback === undefined) return lent;
    lent.then(
      (client) => process.nextTick(callback, undefined, client, (error?: Error) => client.release(error)),
      (error: Error) => process.nextTick(callback, error, undefined, () => {}),
    );
  }

  async #lend(): Promise<pg.PoolClient> {
    this.availability.assert();
    const until = performance.now() + WITHIN_MS;
    const client = await super.connect().catch((error: unknown) => {
      const outage = outageAtConnect(error);
      this.availability.learn(outage);
      throw outage ?? error;
    });
    this.#watch(client, until);
    await this.#limit(client);
    return client;
  }

  async #limit(client: pg.PoolClient): Promise<void> {
    if (this.#limited.has(client)) return;
    try {
      await client.query(LIMITS);
      this.#limited.add(client);
    } catch (error) {
      client.release(error as Error);
      throw outageOf(error) ?? error;
    }
  }

  /** Breaks the connection off in time, and lets it be given back twice: by this, and by who uses it. */
  #watch(client: pg.PoolClient, until: number): void {
    const release = client.release.bind(client);
    let returned = false;
    client.release = (error) => {
      if (returned) return;
      returned = true;
      clearTimeout(suspicion);
      clearTimeout(deadline);
      release(error);
    };
    // Slow is not hung: that others wait for a row must not keep everybody away.
    const suspicion = setTimeout(() => this.availability.suspect(), SUSPECT_AFTER_MS);
    const breakOff = () => client.release(new DatabaseUnavailableError('timeout', false));
    const deadline = setTimeout(breakOff, Math.max(0, until - performance.now()));
  }
}

/** How to connect, alone or in a pool. */
export function connectionTo(url: string, withinMs: number): pg.ClientConfig {
  return { connectionString: url, connectionTimeoutMillis: withinMs, keepAlive: true, application_name: 'roost' };
}
