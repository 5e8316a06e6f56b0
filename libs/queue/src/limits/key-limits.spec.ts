import { PGlite } from '@electric-sql/pglite';
import { connect, MutatedCommands, type Connected } from '@roost/redis/testing';
import { eventually, PostgresServer, RedisServer } from '@roost/testing';
import type { PgQueryable } from 'bullmq';
import { Pool } from 'pg';
import { describeKeyLimits } from './conformance.testbed.js';
import type { KeyClaim, KeyLimits, KeyVerdict } from './key-limits.js';
import { keyLimitsSchemaSql } from './key-limits.sql.js';
import { keyLimitsVectors, type OpenedKeyLimits } from './key-limits-vectors.testbed.js';
import { openMemory, passInPostgres, passInRedis } from './limits.testbed.js';
import { MemoryKeyLimits } from './memory-key-limits.js';
import { PostgresKeyLimits } from './postgres-key-limits.js';
import { RedisKeyLimits } from './redis-key-limits.js';

jest.setTimeout(60_000); // PGlite is compiled anew in each test file

let redisServer: RedisServer;
let redis: Connected;
let postgresServer: PostgresServer;
let pool: Pool;
let pglite: PGlite;

/** As little of a pool as there may be. */
const embedded = {
  query: async (text: string, values?: unknown[]) =>
    values === undefined ? (await pglite.exec(text)).at(-1)! : pglite.query(text, values),
} as PgQueryable;

beforeAll(async () => {
  [redisServer, postgresServer, pglite] = await Promise.all([
    RedisServer.start(),
    PostgresServer.start(),
    PGlite.create(),
  ]);
  redis = await connect({ url: redisServer.url, backend: 'redis', commandTimeoutMs: 10_000 });
  pool = new Pool({ connectionString: postgresServer.url });
  // Many processes boot at once, and one again.
  await Promise.all(Array.from({ length: 8 }, () => pool.query(keyLimitsSchemaSql)));
  await embedded.query(keyLimitsSchemaSql);
  await embedded.query(keyLimitsSchemaSql);
});
afterAll(async () => {
  await Promise.all([redis?.close(), pool?.end(), pglite?.close()]);
  await Promise.all([redisServer?.stop(), postgresServer?.stop()]);
});

const close = () => undefined;
const openRedis = () => ({
  limits: new RedisKeyLimits(redis.commands),
  pass: (ms: number) => passInRedis(redis, ms),
  close,
});
const openPostgres = (database = pool as PgQueryable) => ({
  limits: new PostgresKeyLimits(database),
  pass: (ms: number) => passInPostgres(database, ms),
  close,
});

describeKeyLimits('memory', () => openMemory());
describeKeyLimits('Redis', openRedis);
describeKeyLimits('Postgres', () => openPostgres());
describeKeyLimits('PGlite', () => openPostgres(embedded));

describe.each<[string, () => KeyLimits]>([
  ['memory', () => new MemoryKeyLimits()],
  ['Redis', () => openRedis().limits],
  ['Postgres', () => openPostgres().limits],
])('by the clock of %s', (_name, open) => {
  const claim: KeyClaim = { queue: 'mail', key: 'real time', token: 'first', concurrency: 1, leaseMs: 120 };

  it('a holder that dies frees its place after its lease', async () => {
    const limits = open();
    const startedAt = performance.now();
    await limits.acquire(claim);
    const next = { ...claim, token: 'next' };
    await eventually(async () => (await limits.acquire(next)).granted, { within: 2_000, every: 10 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
  });

  it('20 start in a second, the first five at once', async () => {
    const limits = open();
    const rate = { max: 5, windowMs: 250 };
    const grants: number[] = [];
    const startedAt = performance.now();
    await eventually(
      async () => {
        const token = `at ${performance.now()}`;
        const { granted } = await limits.acquire({ queue: 'mail', key: 'real rate', token, rate, leaseMs: 10_000 });
        if (granted) grants.push(performance.now() - startedAt);
        return grants.length === 9;
      },
      { within: 2_000, every: 1 },
    );
    // The ninth start is four intervals of 50 ms after the first five; clocks of two processes, hence not to the ms.
    expect(grants[8]).toBeGreaterThanOrEqual(195);
  });
});

describe('what is kept', () => {
  const rate = { max: 1, windowMs: 100 };
  const claimOf = (key: string): KeyClaim => ({ queue: 'mail', key, token: 't', leaseMs: 100, concurrency: 3, rate });

  it('is forgotten by Redis when the last lease and the rate are over', async () => {
    await redisServer.command('FLUSHALL');
    const { limits } = openRedis();
    await limits.acquire(claimOf('a'));
    await limits.acquire({ ...claimOf('b'), leaseMs: 60_000 });
    await limits.renew([claimOf('b')], 90_000);
    await limits.release(claimOf('b'));
    const names = await redisServer.keys();
    const lefts = await Promise.all(names.map(async (name) => Number(await redisServer.command('PTTL', name))));
    expect(names).toEqual(['roost:queue:limit:mail:a', 'roost:queue:limit:mail:b']);
    expect(lefts[0]).toBeGreaterThan(0);
    expect(lefts[0]).toBeLessThanOrEqual(101);
    expect(Math.max(...lefts)).toBeLessThanOrEqual(90_001);
    await eventually(async () => expect(await redisServer.keys()).toEqual(['roost:queue:limit:mail:b']), {
      within: 2_000,
    });
  });

  it('is removed from Postgres by claims of other keys', async () => {
    await pool.query('TRUNCATE roost_queue.key_limit CASCADE');
    const { limits, pass } = openPostgres();
    for (const key of ['a', 'b', 'c', 'd']) await limits.acquire(claimOf(key));
    await limits.acquire({ ...claimOf('kept'), leaseMs: 60_000 });
    await pass(5_000);
    for (const key of ['e', 'f']) await limits.acquire(claimOf(key));
    const count = `SELECT (SELECT count(*)::int FROM roost_queue.key_limit) AS limits,
      (SELECT count(*)::int FROM roost_queue.key_hold) AS holds`;
    expect((await pool.query(count)).rows).toEqual([{ limits: 3, holds: 3 }]);
    expect(await limits.renew([claimOf('kept')], 60_000)).toEqual([]);
  });

  it('is removed from memory by claims of other keys', async () => {
    let ms = 0;
    const limits = new MemoryKeyLimits(() => ms);
    for (let at = 0; at < 1_000; at++, ms += 10) await limits.acquire(claimOf(`key ${at}`));
    expect(limits.size).toBeLessThan(50);
  });
});

it('many processes that claim, renew and release the same keys in Postgres never wait for each other', async () => {
  const { limits } = openPostgres();
  const holds = Array.from({ length: 60 }, (_, at) => ({ queue: 'mail', key: `k${at}`, token: 't' }));
  const claimAll = () => Promise.all(holds.map((hold) => limits.acquire({ ...hold, leaseMs: 10_000 })));
  await claimAll();
  const renewals = Array.from({ length: 20 }, (_, at) => limits.renew(at % 2 ? holds : holds.toReversed(), 10_000));
  const lost = await Promise.all([...renewals, claimAll().then(() => [])]);
  expect(lost.flat()).toEqual([]);
  const last = [limits.renew(holds, 1_000), ...holds.map((hold) => limits.release(hold)), claimAll()];
  await expect(Promise.all(last)).resolves.toHaveLength(62);
});

/** The suite is only worth something if limits that are broken fail it: these are, each in one way. */
describe('the suite', () => {
  async function keeps(opened: OpenedKeyLimits, promise: string): Promise<boolean> {
    const found = keyLimitsVectors.filter(({ name }) => name.startsWith(promise));
    expect(found).toHaveLength(1);
    return found[0]!.check(opened).then(
      () => true,
      () => false,
    );
  }

  it('finds one that grants everything', async () => {
    class Generous extends MemoryKeyLimits {
      override acquire = async (): Promise<KeyVerdict> => ({ granted: true });
    }
    expect(await keeps(openMemory(Generous), 'of 50 callers')).toBe(false);
  });

  it.each([
    [`- (tat and 1 or 0) >=`, `>=`, 'tokens may be'],
    [`redis.call('ZREMRANGEBYSCORE', key, '-inf', now)`, '', 'a holder that dies'],
    [`if not redis.call('ZSCORE', key, holder) then`, 'if true then', 'who has a place gets'],
    [`if not redis.call('ZSCORE', key, holder) then`, 'if true then', 'who has a place is not'],
    [`from = now + burst\n      put('tat', from)`, '', 'a rate that was made faster'],
    [`ends and ends + 0 > now`, 'ends', 'a holder that dies'],
    [`and ends + 0 > now and 1 or 0`, 'and 1 or 1', 'a renewal brings'],
    [
      `return { 2, math.ceil(wait / 1000) }`,
      'put(holder, now + ARGV[5] * 1000) return { 2, 1 }',
      'a refusal by the rate',
    ],
    [`':' .. ARGV[1], ARGV[2]`, `ARGV[1], ARGV[2]`, 'tokens may be'],
  ])('finds a script with other words than %j (%#)', async (from, to, promise) => {
    let found = 0;
    const mutated = new MutatedCommands(redis.commands, (lua) => {
      if (lua.includes(from)) found++;
      return lua.replaceAll(from, to);
    });
    const broken = { ...openRedis(), limits: new RedisKeyLimits(mutated) };
    expect([await keeps(openRedis(), promise), await keeps(broken, promise), found > 0]).toEqual([true, false, true]);
  });

  it.each([
    ['DELETE FROM roost_queue.key_hold h WHERE h.name = p_name AND h.until <= v_now;', '', 'a holder that dies'],
    ['AND h.token = p_token', 'AND false', 'who has a place gets'],
    ['AND h.token = p_token', 'AND false', 'who has a place is not'],
    ['least(greatest(v_tat, v_now), v_now + v_burst)', 'greatest(v_tat, v_now)', 'a rate that was made faster'],
    [' AND h.until > v_now;', ';', 'a holder that dies'],
    ['v_running >= p_concurrency', 'v_running > p_concurrency', 'a place that is given back'],
  ])('finds a function with other words than %j (%#)', async (from, to, promise) => {
    const mutated = keyLimitsSchemaSql.replaceAll(from, to);
    expect(mutated).not.toBe(keyLimitsSchemaSql);
    const kept = await keeps(openPostgres(), promise);
    await pool.query(mutated);
    const stillKept = await keeps(openPostgres(), promise);
    await pool.query(keyLimitsSchemaSql);
    expect([kept, stillKept]).toEqual([true, false]);
  });

  it('finds a function that does not lock the key', async () => {
    const taking = 'INSERT INTO roost_queue.key_hold';
    const slow = keyLimitsSchemaSql.replace(taking, `PERFORM pg_sleep(0.01); ${taking}`);
    await pool.query(slow);
    const kept = await keeps(openPostgres(), 'of 50 callers');
    await pool.query(slow.replace('WHERE l.name = p_name FOR UPDATE', 'WHERE l.name = p_name'));
    const stillKept = await keeps(openPostgres(), 'of 50 callers');
    await pool.query(keyLimitsSchemaSql);
    expect([kept, stillKept]).toEqual([true, false]);
  });
});
