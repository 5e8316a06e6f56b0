import { defineScript, type Commands } from '@roost/redis';

/**
 * Lets time go by for everything of this lib in a Redis without waiting. For tests on a Redis of their own, as it looks at all
 * keys.
 */
export async function passInRedis(commands: Commands, ms: number): Promise<void> {
  await commands.run(pass, { none: [] }, { ms });
}

/** Expiries, and the moments that are kept in hashes. ARGV ms · O(keys) */
const pass = defineScript('session.test.pass', {
  keys: ['none...'],
  args: ['ms'],
  reply: Number,
  lua: `
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, field in ipairs({ 'at', 'seen', 'abs', 'cool' }) do
      if redis.call('HEXISTS', key, field) == 1 then redis.call('HINCRBY', key, field, -ARGV[1]) end
    end
    for _, field in ipairs({ 'sent', 'bad' }) do
      local times = redis.call('HGET', key, field)
      local earlier = function(ms) return string.format('%.0f', ms - ARGV[1]) end
      if times then redis.call('HSET', key, field, (string.gsub(times, '%d+', earlier))) end
    end
  end
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
end
return 0`,
});
