import { eventually, PostgresServer, type RedisServer } from '@roost/testing';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { check, type FinalState, type Verdict } from './checker/check.js';
import type { Bounds } from './checker/promptness.js';
import { Crew } from './crew.js';
import { HistoryWriter, readHistory } from './history.js';
import { ExternalStore } from './nemesis/external-store.js';
import { torment } from './nemesis/nemesis.js';
import type { Lane } from './nemesis/plan.js';
import { RedisPair } from './nemesis/redis-pair.js';
import { SCHEMA } from './worker/writes.js';

/** All that a run consists of. */
export interface RunOptions {
  readonly seed: number;
  readonly lanes: (workers: readonly string[]) => readonly Lane[];
  /** The built worker. */
  readonly entry: string;
  readonly workloads?: readonly string[];
  readonly workers?: number;
  /** More options of `LockModule`. */
  readonly lock?: Readonly<Record<string, unknown>>;
  /** Whether an isolated primary stops granting after a second. */
  readonly minReplicas?: boolean;
  /** @default 250 */
  readonly commandTimeoutMs?: number;
}

/** What a run came to, and where its history lies. */
export interface Outcome extends Verdict {
  readonly seed: number;
  readonly dir: string;
  readonly seconds: number;
}

/** Keys that somebody has to be granted once all is healed, by workload. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  mutexes: ['mutex:0', 'mutex:1', 'mutex:2', 'mutex:3'],
  steady: ['steady:0', 'steady:1'],
  queue: ['queue'],
  shared: ['book', 'permits'],
  external: ['external'],
  counter: ['guarded:counter'],
  set: ['guarded:set'],
  leader: ['leader'],
  cron: ['fire'],
};
export const WORKLOADS = Object.keys(KEYS);

const LOCK = { ttl: 1_000, maxTtl: 1_000, waiterTtl: 1_500, assumeFresh: true };
const BOUNDS: Bounds = { ttlMs: LOCK.ttl, quarantineMs: 1_010, waiterTtlMs: LOCK.waiterTtl, slackMs: 1_000 };

/** Starts servers and workers, lets the nemesis loose, waits for recovery, and judges what was written down. */
export async function run(options: RunOptions): Promise<Outcome> {
  const { seed, entry, workloads = WORKLOADS, minReplicas = false, commandTimeoutMs = 250 } = options;
  const dir = mkdtempSync(join(tmpdir(), `roost-chaos-${seed}-`));
  const names = Array.from({ length: options.workers ?? 4 }, (_, index) => `w${index + 1}`);
  const lock: Readonly<Record<string, unknown>> = { ...LOCK, ...options.lock };
  const since = performance.now();

  const undo: (() => Promise<unknown>)[] = [];
  try {
    const postgres = await PostgresServer.start();
    undo.unshift(() => postgres.stop());
    const pair = await RedisPair.start({ appendonly: seed % 2 === 1, minReplicas });
    undo.unshift(() => pair.stop());
    const store = await ExternalStore.start();
    undo.unshift(() => store.stop());
    const pool = new Pool({ connectionString: postgres.url, max: 1 });
    pool.on('error', () => {}); // the nemesis killed its server; a new connection is made when it is needed
    undo.unshift(() => pool.end());
    await pool.query(SCHEMA);
    const told = { entry, dir, seed, storeUrl: store.url, workloads, lock, commandTimeoutMs };
    const crew = new Crew(names, pair, postgres, told);
    undo.unshift(() => crew.stop());
    const history = new HistoryWriter(dir, 'nemesis');

    await crew.start();
    await torment({ pair, postgres, crew }, options.lanes(names), history);
    const bounds = boundsOf(lock);
    await sleep(bounds.ttlMs + bounds.quarantineMs + bounds.waiterTtlMs + 2_000);
    const printed = await crew.stop();
    if (printed) history.write({ f: 'odd', why: printed });

    // Until then whoever is gone has left every queue, and every lock has run out.
    const isEmpty = async () => (await leftoversIn(pair.primary)).length === 0;
    await eventually(isEmpty, { within: bounds.ttlMs + bounds.waiterTtlMs * 2, every: 100 }).catch(() => {}); // judged below
    const final: FinalState = {
      counters: workloads.includes('counter') ? { counter: await counterIn(pool) } : {},
      sets: { ...(workloads.includes('set') ? { set: await setIn(pool) } : {}), checked: store.list('checked') },
      unchecked: { store: 'unchecked', list: store.list('unchecked') },
      leftovers: await leftoversIn(pair.primary),
    };
    const verdict = check(readHistory(dir), final, bounds, {
      keys: workloads.flatMap((name) => KEYS[name]!),
      fifo: (key) => key === 'queue',
    });
    return { ...verdict, seed, dir, seconds: (performance.now() - since) / 1_000 };
  } finally {
    for (const stop of undo) await stop();
  }
}

function boundsOf({ splitBrain = 0 }: Readonly<Record<string, unknown>>): Bounds {
  return { ...BOUNDS, quarantineMs: BOUNDS.quarantineMs + Number(splitBrain) };
}

async function counterIn(pool: Pool) {
  const { rows } = await pool.query<{ value: number }>('SELECT value FROM chaos_counter');
  const log = await pool.query<{ token: string; writer: string }>('SELECT token, writer FROM chaos_log ORDER BY n');
  return { value: rows[0]!.value, log: log.rows.map(({ token, writer }) => ({ token: BigInt(token), writer })) };
}

async function setIn(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ ids: string[] }>('SELECT ids FROM chaos_set');
  return rows[0]!.ids;
}

/** Nobody holds a lock or waits for one: only what the space remembers may be there, and nothing for ever. */
async function leftoversIn(server: RedisServer): Promise<string[]> {
  const keys = await server.keys('roost:*');
  const lives = await Promise.all(keys.map((key) => server.command('PTTL', key)));
  return keys.filter((key, index) => lives[index] === -1 || /:(mutex|shared|shared-ends|queue|alive):/.test(key));
}
