import { defineScript } from '@roost/redis';

/**
 * Removes consumers that have nothing and are gone: the one that leaves, and those that gave no sign of life for so long.
 * What a removed consumer had would never be delivered again, so one that has anything stays.
 * KEYS stream · ARGV group, the consumer that leaves or '', idle time (ms) · returns the number of those removed · O(consumers)
 */
export const leaveGroup = defineScript('stream.leave', {
  keys: ['stream'],
  args: ['group', 'consumer', 'idleMs'],
  reply: Number,
  lua: `
local removed = 0
for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local known = {}
  for i = 1, #each, 2 do known[each[i]] = each[i + 1] end
  if known.pending == 0 and (known.name == ARGV[2] or known.idle > tonumber(ARGV[3])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], known.name)
    removed = removed + 1
  end
end
return removed`,
});
