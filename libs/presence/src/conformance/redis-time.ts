import { defineScript, type Commands } from '@roost/redis';

/**
 * Lets time go by for all that presence keeps in a Redis, without waiting: whatever would end later ends so much earlier.
 * For tests on a Redis of their own, as it looks at all keys.
 */
export async function passInRedis(commands: Commands, ms: number): Promise<void> {
  await commands.run(pass, { none: [] }, { ms });
}

/** Leases and graces, which are kept as scores. ARGV ms · O(keys) */
const pass = defineScript('presence.test.pass', {
  keys: ['none...'],
  args: ['ms'],
  reply: Number,
  lua: `
for _, pattern in ipairs({ '*:presence:nodes', '*:presence:graces:*' }) do
  for _, key in ipairs(redis.call('KEYS', pattern)) do
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], member) end
  end
end
return 0`,
});
