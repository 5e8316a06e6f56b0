import { EMPTY_TTL_MS, TOPIC_TTL_MS } from './presence.store.js';

/**
 * What scripts about a topic have in common.
 * KEYS users, members, graces, log, seen · ARGV[1] the wire name of the channel, empty for a list of who is online,
 * ARGV[2] how many diffs are kept, ARGV[3] for how long (ms) it is remembered when users were seen
 */
export const topicLua = `
local call = redis.call
local users, members, graces, log, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local SEPARATOR = '\\31'

-- A device as a node has it, in whichever incarnation: the same one may be on several nodes, and is gone with the last.
local function fieldOf(user, device, node)
  return user .. SEPARATOR .. device .. SEPARATOR .. string.match(node, '^[^.]+')
end

-- A room that was forgotten begins beyond every version that it may have had: with the time in microseconds.
local function advance()
  if call('HEXISTS', users, '') == 0 then
    local last = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
    local first = math.max(time[1] * 1000000 + time[2], last and tonumber(string.match(last[1], '^%d+')) or 0)
    call('HSET', users, '', string.format('%.0f', first))
  end
  return string.format('%.0f', call('HINCRBY', users, '', 1))
end

-- Says to all who watch what has changed. Texts are valid JSON.
local function tell(kind, list)
  if ARGV[1] == '' then return end
  local version = advance()
  local text = '{"v":' .. version .. ',"' .. kind .. '":' .. list .. '}'
  call('XADD', log, 'MAXLEN', '~', ARGV[2], version .. '-0', 'd', text)
  call('PUBLISH', ARGV[1], text)
end

-- Notes when a user who is no longer online was last seen.
local function saw(user, at)
  if ARGV[1] ~= '' then return end
  call('ZADD', seen, 'GT', at, user)
  call('ZREMRANGEBYSCORE', seen, '-inf', now - ARGV[3])
  call('PEXPIRE', seen, ARGV[3])
end

-- Adds one device of a user, and tells who came: not who has another one, or still has a grace.
local function add(user)
  local came = call('HINCRBY', users, user, 1) == 1 and not call('ZSCORE', graces, user)
  if came then tell('j', cjson.encode({ user })) end
  return came and 1 or 0
end

-- Takes one device of a user away, and says whether the user is gone. Who was still seen lately stays for a while.
local function remove(user, seenAt, goneAfter)
  local left = call('HINCRBY', users, user, -1)
  if seenAt + goneAfter > now then call('ZADD', graces, 'GT', seenAt + goneAfter, user) end
  saw(user, seenAt)
  if left > 0 then return false end
  local graceEnds = tonumber(call('ZSCORE', graces, user) or 0)
  if graceEnds > now then
    if left < 0 then call('HSET', users, user, 0) end
    return false
  end
  call('HDEL', users, user)
  call('ZREM', graces, user)
  return true
end

-- The reply of every change; what is empty is forgotten sooner.
local function changed(told)
  local version = call('HGET', users, '') or '0'
  local empty = call('HLEN', users) == (version == '0' and 0 or 1)
  local ttl = empty and ${EMPTY_TTL_MS} or ${TOPIC_TTL_MS}
  for _, key in ipairs({ users, members, graces, log }) do call('PEXPIRE', key, ttl) end
  local first = call('ZRANGE', graces, 0, 0, 'WITHSCORES')
  return { version, told, first[2] and math.max(0, first[2] - now) or -1 }
end
`;
