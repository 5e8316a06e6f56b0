import { defineScript } from '@roost/redis';
import type { Change } from './presence.store.js';
import { topicLua } from './topic.fragment.js';

const keys = ['users', 'members', 'graces', 'log', 'seen'] as const;
const head = ['channel', 'replay', 'seenForMs'] as const;

function changeOf([version, told, graceMs]: readonly [string, number, number]): Change {
  return { version: Number(version), told, graceMs: graceMs < 0 ? null : graceMs };
}

/**
 * Adds a device, or renews what it says of itself: `join` is told for the first of a user, unless a grace ran.
 * KEYS of the topic · ARGV of the fragment, user, device, node, meta as JSON · O(1)
 */
export const joinTopic = defineScript('presence.join', {
  keys,
  args: [...head, 'userId', 'deviceId', 'node', 'meta'],
  reply: changeOf,
  lua: `${topicLua}
local user, device, node, meta = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local field, value = fieldOf(user, device, node), node .. SEPARATOR .. meta
local before = call('HGET', members, field)
call('HSET', members, field, value)
if before then
  if string.sub(before, string.find(before, SEPARATOR, 1, true) + 1) == meta then return changed(0) end
  tell('u', '[[' .. cjson.encode(user) .. ',' .. cjson.encode(device) .. ',' .. meta .. ']]')
  return changed(1)
end
local told = add(user)
call('ZREM', graces, user)
return changed(told)`,
});

/**
 * Takes a device away that a node has, in whichever incarnation. Doing it twice changes nothing. A device that is not known
 * was here all the same, and its user has the rest of the grace: Redis forgot it, or was not there while it was.
 * KEYS of the topic · ARGV of the fragment, user, device, node, ms since its last sign of life, ms after which it is gone ·
 * O(log(graces))
 */
export const leaveTopic = defineScript('presence.leave', {
  keys,
  args: [...head, 'userId', 'deviceId', 'node', 'silentMs', 'goneAfterMs'],
  reply: changeOf,
  lua: `${topicLua}
local user, silent, goneAfter, told = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8]), 0
if call('HDEL', members, fieldOf(user, ARGV[5], ARGV[6])) == 0 then
  if silent >= goneAfter then return changed(0) end
  told = add(user)
end
if not remove(user, now - silent, goneAfter) then return changed(told) end
tell('l', cjson.encode({ user }))
return changed(1)`,
});

/**
 * Takes the devices of one incarnation of a node away, as far as a part of the members goes.
 * KEYS of the topic · ARGV of the fragment, node with its incarnation, its last sign of life, ms after which users are
 * gone, cursor · returns the change and the next cursor, 0 at the end · O(members of the part)
 */
export const leaveTopicAsNode = defineScript('presence.leave-node', {
  keys,
  args: [...head, 'node', 'seenAtMs', 'goneAfterMs', 'cursor'],
  reply: ([change, cursor]: readonly [readonly [string, number, number], string]) => ({
    change: changeOf(change),
    cursor,
  }),
  lua: `${topicLua}
local node, seenAt, goneAfter = ARGV[4] .. SEPARATOR, tonumber(ARGV[5]), tonumber(ARGV[6])
local part = call('HSCAN', members, ARGV[7], 'COUNT', 1000)
local gone = {}
for i = 1, #part[2], 2 do
  local field, value = part[2][i], part[2][i + 1]
  if string.sub(value, 1, #node) == node and call('HDEL', members, field) == 1 then
    local user = string.sub(field, 1, string.find(field, SEPARATOR, 1, true) - 1)
    if remove(user, seenAt, goneAfter) then gone[#gone + 1] = user end
  end
end
if #gone > 0 then tell('l', cjson.encode(gone)) end
return { changed(#gone), part[1] }`,
});

/**
 * Tells of users whose grace is over.
 * KEYS of the topic · ARGV of the fragment, 1 for all graces · O(graces that end × log(graces)), at most 500 at once
 */
export const expireGraces = defineScript('presence.expire', {
  keys,
  args: [...head, 'all'],
  reply: changeOf,
  lua: `${topicLua}
local gone = {}
for _, user in ipairs(call('ZRANGEBYSCORE', graces, '-inf', ARGV[4] == '1' and '+inf' or now, 'LIMIT', 0, 500)) do
  call('ZREM', graces, user)
  if tonumber(call('HGET', users, user) or 1) <= 0 then
    call('HDEL', users, user)
    gone[#gone + 1] = user
  end
end
if #gone > 0 then tell('l', cjson.encode(gone)) end
return changed(#gone)`,
});
