import { defineScript } from '@roost/redis';
import type { Connected } from '@roost/redis/testing';
import type { PgQueryable } from 'bullmq';
import type { OpenedKeyLimits } from './key-limits-vectors.testbed.js';
import { MemoryKeyLimits } from './memory-key-limits.js';

export function openMemory(Limits: new (now: () => number) => MemoryKeyLimits = MemoryKeyLimits): OpenedKeyLimits {
  let ms = 1_800_000_000_000;
  return { limits: new Limits(() => ms), pass: (by) => void (ms += by), close: () => undefined };
}

/** Lets time go by in Redis: whatever would end later ends so much earlier. */
export async function passInRedis({ commands }: Pick<Connected, 'commands'>, ms: number): Promise<void> {
  await commands.run(pass, { none: [] }, { ms });
}

const pass = defineScript('queue.limit.test-pass', {
  keys: ['none...'],
  args: ['ms'],
  reply: Number,
  lua: `
for _, key in ipairs(redis.call('KEYS', '*queue:limit:*')) do
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    redis.call('ZINCRBY', key, -ARGV[1] * 1000, member)
  end
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
end
return 0`,
});

/** Lets time go by in Postgres. */
export async function passInPostgres(pool: PgQueryable, ms: number): Promise<void> {
  const earlier = `interval '${ms} ms'`;
  await pool.query(`UPDATE roost_queue.key_limit SET tat = tat - ${earlier}, until = until - ${earlier}`);
  await pool.query(`UPDATE roost_queue.key_hold SET until = until - ${earlier}`);
}
