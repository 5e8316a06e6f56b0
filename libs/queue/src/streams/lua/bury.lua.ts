import { defineScript } from '@roost/redis';

/**
 * Moves a message to the dead letters: both or neither, and once, whoever else tries. It is added before it is
 * acknowledged: a Redis without memory refuses the first, and a script does not take back what it has done.
 * KEYS stream, dead letters · ARGV group, consumer, id, about how many to keep, 1 to delete, reason, deliveries, 1 when
 * Redis has lost the message, then its fields in turn · returns 1 moved, 0 it is somebody else's · O(fields)
 */
export const buryMessage = defineScript('stream.bury', {
  keys: ['stream', 'dead'],
  args: ['group', 'consumer', 'id', 'maxLen', 'remove', 'reason', 'deliveries', 'lost', 'fields...'],
  reply: Number,
  lua: `
local group, consumer, id = ARGV[1], ARGV[2], ARGV[3]
local fields
if ARGV[8] == '1' then
  fields = { unpack(ARGV, 9) }
else
  if not redis.call('XPENDING', KEYS[1], group, id, id, 1, consumer)[1] then return 0 end
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  fields = entry and entry[2]
end
if fields then
  local now = redis.call('TIME')
  local letter = { 'roost:id', id, 'roost:stream', KEYS[1], 'roost:group', group, 'roost:reason', ARGV[6],
    'roost:deliveries', ARGV[7], 'roost:at', string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000)) }
  for i = 1, math.min(#fields, 7000) do letter[#letter + 1] = fields[i] end -- unpack takes 8000
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', unpack(letter))
end
if ARGV[8] == '1' then return 1 end
redis.call('XACK', KEYS[1], group, id)
if ARGV[5] == '1' and #redis.call('XINFO', 'GROUPS', KEYS[1]) == 1 then redis.call('XDEL', KEYS[1], id) end
return 1`,
});
