import { defineScript } from '@roost/redis';
import { describePending, pageOf } from './pending.fragment.js';

/**
 * A page of what this consumer was given and has not acknowledged. Unlike `XREADGROUP … 0` it counts no delivery: what
 * only waits here was not handed to anybody.
 * KEYS stream · ARGV group, consumer, the id before the page, count · returns the last id looked at or '', messages,
 * number of vanished ones · O(count)
 */
export const readBacklog = defineScript('stream.backlog', {
  keys: ['stream'],
  args: ['group', 'consumer', 'after', 'count'],
  reply: pageOf,
  lua: `${describePending}
local last = ''
for _, each in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '(' .. ARGV[3], '+', ARGV[4], ARGV[2])) do
  last = each[1]
  describe(each[1], each[4])
end
return { last, found, vanished }`,
});
