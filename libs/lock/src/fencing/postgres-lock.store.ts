import { LockUnavailableError } from '../lock.errors.js';
import {
  LockStore,
  type ClaimOutcome,
  type ExtendOutcome,
  type HolderReport,
  type LockClaim,
  type LockHold,
  type LockKind,
  type LockReport,
  type Released,
  type ReleaseOutcome,
} from '../stores/lock.store.js';
import { answerWithin, type Database, type Row } from './database.js';
import { databaseOf } from './database-of.js';
import { ensureFenceSchema } from './fence-schema.js';
import { storedName } from './stored-name.js';
import { isSchemaMissing, isWithoutEffect, isWrongStatement, textArray } from './sql-error.js';
import type { Transactional } from './transactional.js';

export interface PostgresLockStoreOptions {
  /** Best a pool of its own with 2 connections: requests that hold all of a shared one would wait for their own locks. */
  readonly database: Transactional;
  /** Locks of different spaces are different locks; the same for all processes, and for the fences. */
  readonly space: string;
  /** `host:pid`, for operators who ask who holds a lock. */
  readonly owner: string;
  /** How long each call may take, in ms. @default 1_000 */
  readonly queryTimeoutMs?: number;
}

const RELEASE = 'SELECT roost_release($1::text::text[], $2) AS outcome';
const CLAIM = `SELECT o_token::text AS token, o_retry_ms::text AS retry
FROM roost_claim($1::text::text[], $2, $3, $4::text::bigint, $5::text::bigint, $6::text::boolean)`;
const HAND_ON = `SELECT o_outcome AS outcome, o_token::text AS token, o_retry_ms::text AS retry
FROM roost_hand_on($1::text::text[], $2, $3, $4, $5::text::bigint, $6::text::bigint, $7::text::boolean)`;
const EXTEND = `SELECT holder FROM roost_extend(
  $1::text::text[], $2::text::text[], $3::text::bigint[], $4::text::bigint[]) AS holder`;
const REPORT = `holder, token::text, owner, (extract(epoch FROM since) * 1000)::text AS since,
  (extract(epoch FROM until - clock_timestamp()) * 1000)::text AS ttl`;
const INSPECT = `SELECT ${REPORT} FROM roost_lease WHERE resource = $1 AND until > clock_timestamp()`;
const FORCE = `WITH taken AS (DELETE FROM roost_lease WHERE resource = $1 RETURNING *)
SELECT ${REPORT} FROM taken WHERE until > clock_timestamp()`;

/**
 * Guard mode: mutexes as rows of a table, by the database's clock, whose tokens are greater than any that fenced there.
 * Every call is one statement and leaves nothing in the session, so that transaction poolers are fine. Without a queue:
 * who waits asks again. While a fenced transaction on a key is open, nobody new is granted it.
 */
export class PostgresLockStore extends LockStore {
  readonly name = 'postgres';
  readonly #database: Database<unknown>;
  readonly #timeoutMs: number;
  #greatest = 0n;
  #ensuring: Promise<void> | undefined;

  constructor(private readonly options: PostgresLockStoreOptions) {
    super();
    this.#database = databaseOf(options.database);
    this.#timeoutMs = options.queryTimeoutMs ?? 1_000;
  }

  async acquire(claim: LockClaim): Promise<ClaimOutcome> {
    const [row] = await this.#ask(CLAIM, [this.#resources(claim), ...this.#asking(claim)]);
    return outcomeOf(row!);
  }

  async extend(holds: readonly LockHold[]): Promise<readonly ExtendOutcome[]> {
    if (holds.length === 0) return [];
    const rows = holds.flatMap((hold) =>
      hold.keys.map((key) => ({ ...hold, resource: this.#resource(hold.kind, key) })),
    );
    const extended = await this.#ask(EXTEND, [
      textArray(rows.map(({ resource }) => resource)),
      textArray(rows.map(({ holder }) => holder)),
      textArray(rows.map(({ token }) => `${token}`)),
      textArray(rows.map(({ ttlMs }) => wholeMs(ttlMs))),
    ]);
    const alive = new Set(extended.map(({ holder }) => holder));
    return holds.map(({ holder }) => (alive.has(holder) ? 'extended' : 'lost'));
  }

  async release(hold: LockHold, next?: LockClaim): Promise<Released> {
    const given = [this.#resources(hold), hold.holder];
    const [row] = await (next ? this.#ask(HAND_ON, [...given, ...this.#asking(next)]) : this.#ask(RELEASE, given));
    return { outcome: row!['outcome'] as ReleaseOutcome, next: next && outcomeOf(row!) };
  }

  async withdraw(claim: LockClaim): Promise<void> {
    await this.#ask(RELEASE, [this.#resources(claim), claim.holder]);
  }

  async inspect(kind: LockKind, key: string): Promise<LockReport> {
    const rows = await this.#ask(INSPECT, [this.#resource(kind, key)]);
    return { holders: rows.map(reportOf), waiting: 0 };
  }

  async force(kind: LockKind, key: string): Promise<readonly HolderReport[]> {
    const rows = await this.#ask(FORCE, [this.#resource(kind, key)]);
    return rows.map(reportOf);
  }

  /** Never calls: nobody is told when a row is free. */
  onTurn(): () => void {
    return () => {};
  }

  raise(token: bigint): void {
    if (this.#greatest < token) this.#greatest = token;
  }

  #resources({ kind, keys }: LockClaim): string {
    return textArray(keys.map((key) => this.#resource(kind, key)));
  }

  #resource(kind: LockKind, key: string): string {
    if (kind !== 'mutex') throw new LockUnavailableError(new Error('Postgres decides about mutexes only'), false);
    return storedName(`${this.options.space}:${key}`);
  }

  #asking({ holder, ttlMs, wait }: LockClaim): string[] {
    return [holder, this.options.owner, wholeMs(ttlMs), `${this.#greatest + 1n}`, `${wait}`];
  }

  async #ask(text: string, values: readonly string[]): Promise<readonly Row[]> {
    try {
      return await this.#database.query(text, values, this.#timeoutMs).catch(async (error: unknown) => {
        if (!isSchemaMissing(error)) throw error;
        // The database could not be reached when the schema was to be created, at boot.
        this.#ensuring ??= ensureFenceSchema(this.options.database).finally(() => (this.#ensuring = undefined));
        await answerWithin(this.#timeoutMs, this.#ensuring);
        return this.#database.query(text, values, this.#timeoutMs);
      });
    } catch (error) {
      if (isWrongStatement(error)) throw error;
      throw new LockUnavailableError(error, !isWithoutEffect(error));
    }
  }
}

function outcomeOf({ token, retry }: Row): ClaimOutcome {
  if (token != null) return { state: 'granted', token: BigInt(token) };
  return { state: 'busy', retryInMs: Number(retry) };
}

function reportOf({ holder, token, owner, since, ttl }: Row): HolderReport {
  const times = { since: new Date(Number(since)), ttlMs: Math.ceil(Number(ttl)) };
  return { holder: holder!, token: BigInt(token!), owner: owner!, ...times, weight: 1 };
}

function wholeMs(ms: number): string {
  return Math.ceil(ms).toFixed(0);
}
