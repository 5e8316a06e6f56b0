import { queueLua, spaceLua } from './fragments.js';

/**
 * A shared lock has two keys of equal expiry. `holders` maps each to `weight|epoch:sequence|since (ms)|owner`; its fields
 * `used` and `limit`, which can be no holder's for want of a dot, save counting. `ends` says when the time of each is over,
 * by this server's clock alone. What is given back in a quarantine stays there with the weight 0 until the quarantine
 * ends: a renewal that was overtaken would else take it for lost by Redis and put it back.
 */
export const sharedLua = `${spaceLua}
${queueLua}
local function weightIn(value)
  return tonumber(string.match(value, '^%d+'))
end

local function tokenIn(value)
  return string.match(value, '^[^|]*|([^|]*)') or ''
end

local function whole(number)
  return string.format('%.0f', number)
end

local function usedOf(holders)
  return tonumber(call('HGET', holders, 'used') or 0)
end

-- The value of who holds it, or nil.
local function valueOf(holders, holder)
  local value = call('HGET', holders, holder)
  return value and weightIn(value) > 0 and value or nil
end

local function keep(holders, ends, holder, ms)
  call('ZADD', ends, now + ms, holder)
  local last = call('ZRANGE', ends, -1, -1, 'WITHSCORES')[2]
  call('PEXPIREAT', holders, last)
  call('PEXPIREAT', ends, last)
end

local function put(holders, ends, holder, weight, limit, token, ms, owner)
  local before = valueOf(holders, holder)
  if usedOf(holders) == 0 then call('HSET', holders, 'limit', limit) end
  call('HINCRBY', holders, 'used', weight - (before and weightIn(before) or 0))
  call('HSET', holders, holder, weight .. '|' .. token .. '|' .. whole(now) .. '|' .. owner)
  keep(holders, ends, holder, ms)
end

local function forget(holders, ends, holder)
  local value = call('HGET', holders, holder)
  call('ZREM', ends, holder)
  if value then
    call('HDEL', holders, holder)
    call('HINCRBY', holders, 'used', -weightIn(value))
  end
end

local function prune(holders, ends)
  for _, holder in ipairs(call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 1000)) do
    forget(holders, ends, holder)
  end
end

local function drop(holders, ends, holder, token)
  local left = quarantineLeft()
  forget(holders, ends, holder)
  if left > 0 then
    call('HSET', holders, holder, '0|' .. token)
    keep(holders, ends, holder, left)
  elseif call('ZCARD', ends) == 0 then
    call('DEL', holders)
  end
end

-- Tells the head, unless there is no room at all.
local function wakeIfRoom(turns, holders, queue, alive)
  local limit = tonumber(call('HGET', holders, 'limit') or 0)
  local used = usedOf(holders)
  if used == 0 or used < limit then wake(turns, queue, alive) end
end`;

/**
 * Asks for units of KEYS: state, quarantine, holders, ends, queue, alive. Returns 1 and the token, 0 and when the first of
 * the present holders can be gone (ms), -1 and how long the quarantine lasts, or -2 and the limit it is in use with.
 */
export const claimSharedLua = `
local function claim(epoch, turns, holder, weight, limit, ttlMs, wait, waiterTtlMs, owner)
  local holders, ends, queue, alive = KEYS[3], KEYS[4], KEYS[5], KEYS[6]
  prune(holders, ends)
  local value = valueOf(holders, holder)
  local quarantine = quarantineLeft()
  if value and not (quarantine > 0 and unsettled()) then -- an earlier try was granted, and its answer lost
    keep(holders, ends, holder, ttlMs)
    return { 1, tokenIn(value), 0 }
  end
  if quarantine > 0 then return { -1, '', quarantine } end

  local used = usedOf(holders)
  local inUse = tonumber(call('HGET', holders, 'limit') or limit)
  if used > 0 and inUse ~= tonumber(limit) then
    -- It would stand in the way of those who agree.
    if leave(queue, alive, holder) then wakeIfRoom(turns, holders, queue, alive) end
    return { -2, '', inUse }
  end
  local head = headOf(queue, alive)
  if (not head or head == holder) and used + weight <= tonumber(limit) then
    if head then leave(queue, alive, holder) end
    local token = nextToken(epoch)
    put(holders, ends, holder, weight, limit, token, ttlMs, owner)
    wakeIfRoom(turns, holders, queue, alive) -- several readers in a row
    return { 1, token, 0 }
  end
  if wait == '1' then enqueue(queue, alive, holder, waiterTtlMs, placeOf(queue, holder) or newPlace()) end
  local first = call('ZRANGE', ends, 0, 0, 'WITHSCORES')[2]
  return { 0, '', first and math.max(first - now, 1) or 0 }
end`;
