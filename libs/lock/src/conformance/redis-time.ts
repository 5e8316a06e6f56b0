import { defineScript, type Commands } from '@roost/redis';

/**
 * Lets time go by for all locks in a Redis without waiting: whatever would end later ends so much earlier. For tests on a
 * Redis of their own, as it looks at all keys.
 */
export async function passInRedis(commands: Commands, ms: number): Promise<void> {
  await commands.run(pass, { none: [] }, { ms });
}

/** Expiries of keys, and times that are kept as scores. ARGV ms · O(keys) */
const pass = defineScript('lock.test.pass', {
  keys: ['none...'],
  args: ['ms'],
  reply: Number,
  lua: `
for _, key in ipairs(redis.call('KEYS', '*{lock}:lock:*')) do
  if string.find(key, ':alive:', 1, true) or string.find(key, ':shared-ends:', 1, true) then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], member) end
  end
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
end
return 0`,
});
