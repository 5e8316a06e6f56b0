import { defineScript } from '@roost/redis';
import { CLAIM_MS } from './presence.store.js';
import type { Beat } from './presence.store.js';

const timeLua = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/**
 * A sign of life of a node. Nodes whose lease has run out become `!node seenAt`, which one after the other may claim until
 * it is buried: a claimant may die, too.
 * KEYS the leases · ARGV node, lease (ms), 1 to claim · returns whether it was known, and what it claims · O(log(nodes))
 */
export const beatNode = defineScript('presence.beat', {
  keys: ['nodes'],
  args: ['node', 'leaseMs', 'claim'],
  reply: ([known, claimed]: readonly [number, readonly string[]]): Beat => ({
    known: known === 1,
    dead: claimed.map((text) => {
      const [node = '', seenAt] = text.split(' ');
      return { node, seenAtMs: Number(seenAt) };
    }),
  }),
  lua: `${timeLua}
local known = redis.call('ZADD', KEYS[1], 'XX', 'CH', now + ARGV[2], ARGV[1])
if known == 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], 3600000)
else
  known = 1
end
local claimed = {}
if ARGV[3] == '1' then
  local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 10)
  for i = 1, #late, 2 do
    local dead = late[i]
    if string.sub(dead, 1, 1) ~= '!' then
      redis.call('ZREM', KEYS[1], dead)
      dead = '!' .. dead .. ' ' .. string.format('%.0f', late[i + 1] - ARGV[2])
    end
    redis.call('ZADD', KEYS[1], now + ${CLAIM_MS}, dead)
    claimed[#claimed + 1] = string.sub(dead, 2)
  end
end
return { known, claimed }`,
});

/**
 * Ends the lease of a node, and puts it up to be claimed.
 * KEYS the leases · ARGV node, ms until it may be claimed · returns whether there are others · O(nodes)
 */
export const resignNode = defineScript('presence.resign', {
  keys: ['nodes'],
  args: ['node', 'claimableMs'],
  reply: (raw: number) => raw === 1,
  lua: `${timeLua}
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], '!' .. ARGV[1] .. ' ' .. string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], 3600000)
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  if string.sub(other, 1, 1) ~= '!' then return 1 end
end
return 0`,
});

/**
 * Forgets a node.
 * KEYS the leases, where it had members · ARGV node · O(nodes)
 */
export const buryNode = defineScript('presence.bury', {
  keys: ['nodes', 'owned'],
  args: ['node'],
  reply: Number,
  lua: `
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
local dead = '!' .. ARGV[1] .. ' '
for _, each in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(each, 1, #dead) == dead then redis.call('ZREM', KEYS[1], each) end
end
return 1`,
});
