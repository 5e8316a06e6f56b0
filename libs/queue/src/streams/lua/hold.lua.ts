import { defineScript } from '@roost/redis';

/**
 * A sign of life for messages, with how often each was delivered; or, with an idle time, their release to whoever reclaims
 * next. Only for those that nobody else has taken over.
 * KEYS stream · ARGV group, consumer, idle time (ms), then id and deliveries of each · returns the ids that are not this
 * consumer's any more · O(messages)
 */
export const holdMessages = defineScript('stream.hold', {
  keys: ['stream'],
  args: ['group', 'consumer', 'idleMs', 'messages...'],
  reply: (ids: string[]) => ids,
  lua: `
local lost = {}
for i = 4, #ARGV, 2 do
  if redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost`,
});
