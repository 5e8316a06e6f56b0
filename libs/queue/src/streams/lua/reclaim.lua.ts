import { defineScript } from '@roost/redis';
import { describePending, pageOf } from './pending.fragment.js';

/**
 * Takes over what consumers have not acknowledged that gave no sign of life for so long. JUSTID counts no delivery: else
 * a message that kills its process would drag those into the dead letters that merely waited beside it.
 * KEYS stream · ARGV group, consumer, least idle time (ms), cursor, count · returns the next cursor, messages, number of
 * vanished ones · O(count)
 */
export const reclaimMessages = defineScript('stream.reclaim', {
  keys: ['stream'],
  args: ['group', 'consumer', 'minIdleMs', 'cursor', 'count'],
  reply: pageOf,
  lua: `${describePending}
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
for _, id in ipairs(claimed[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  if pending then describe(id, pending[4]) end
end
if claimed[3] then vanished = vanished + #claimed[3] end
return { claimed[1], found, vanished }`,
});
