import { queueLua, spaceLua } from './fragments.js';

/**
 * A mutex is `holder|epoch:sequence|since (ms)|owner`. What is released in a quarantine leaves `|epoch:sequence` until the
 * quarantine ends: a renewal that was overtaken by the release would else take it for lost by Redis and put it back.
 * `drop(lock, token)` returns whether others can have it now.
 */
export const mutexLua = `${spaceLua}
${queueLua}
local function isOf(value, holder)
  return value and string.sub(value, 1, #holder + 1) == holder .. '|'
end

local function tokenIn(value)
  return string.match(value, '^[^|]*|([^|]*)') or ''
end

local function drop(lock, token)
  local left = quarantineLeft()
  if left > 0 then
    call('SET', lock, '|' .. token, 'PX', left)
    return false
  end
  call('DEL', lock)
  return true
end`;

/**
 * Asks for all locks of KEYS, which from 3 on are lock, queue and alive of each: all or none, under one token.
 * Returns 1 and the token, 0 and how long the present holders can have it (ms), or -1 and how long the quarantine lasts.
 */
export const claimLua = `
local function grant(epoch, holder, ttlMs, owner)
  local token = nextToken(epoch)
  local value = holder .. '|' .. token .. '|' .. string.format('%.0f', now) .. '|' .. owner
  for lock = 3, #KEYS, 3 do call('SET', KEYS[lock], value, 'PX', ttlMs) end
  return { 1, token, 0 }
end

local function claim(epoch, turns, holder, ttlMs, wait, waiterTtlMs, owner)
  -- One lock, as nearly always, that nobody has or waits for, and no quarantine: one look tells.
  if #KEYS == 5 and call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) == 0 then return grant(epoch, holder, ttlMs, owner) end

  local own, token, taken = {}, nil, 0
  for lock = 3, #KEYS, 3 do
    local value = call('GET', KEYS[lock])
    if isOf(value, holder) then
      own[#own + 1] = lock
      token = tokenIn(value)
    elseif value then
      taken = math.max(taken, call('PTTL', KEYS[lock]), 1)
    end
  end
  local quarantine = quarantineLeft()
  if #own * 3 == #KEYS - 2 and not (quarantine > 0 and unsettled()) then -- an earlier try was granted, its answer lost
    for _, lock in ipairs(own) do call('PEXPIRE', KEYS[lock], ttlMs) end
    return { 1, token, 0 }
  end
  if quarantine > 0 then return { -1, '', quarantine } end

  local free = taken == 0
  local queued = {}
  for lock = 3, #KEYS, 3 do
    local head = free and headOf(KEYS[lock + 1], KEYS[lock + 2])
    if head == holder then queued[#queued + 1] = lock elseif head then free = false end
  end
  if free then
    for _, lock in ipairs(queued) do leave(KEYS[lock + 1], KEYS[lock + 2], holder) end
    return grant(epoch, holder, ttlMs, owner)
  end

  if wait == '1' then
    local place
    for lock = 3, #KEYS, 3 do place = place or placeOf(KEYS[lock + 1], holder) end
    place = place or newPlace()
    for lock = 3, #KEYS, 3 do enqueue(KEYS[lock + 1], KEYS[lock + 2], holder, waiterTtlMs, place) end
  end
  -- Some of several were taken away by force, which ends the grant: nobody believes in the rest.
  for _, lock in ipairs(own) do
    call('DEL', KEYS[lock])
    wake(turns, KEYS[lock + 1], KEYS[lock + 2])
  end
  return { 0, '', taken }
end`;
