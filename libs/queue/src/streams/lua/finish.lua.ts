import { defineScript } from '@roost/redis';

/**
 * Acknowledges what was handled, and deletes it unless the stream has another group, which may be yet to read it.
 * KEYS stream · ARGV group, 1 to delete, ids (1000 at most) · returns how many were pending · O(ids)
 */
export const finishMessages = defineScript('stream.finish', {
  keys: ['stream'],
  args: ['group', 'remove', 'ids...'],
  reply: Number,
  lua: `
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 1 and #redis.call('XINFO', 'GROUPS', KEYS[1]) == 1 then
  redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
end
return acknowledged`,
});
