import { defineScript } from '@roost/redis';
import { PRODUCTION, type DecideVariant } from '../stores/lua/clock.lua.js';

/** How many numbers the script returns for each throttler. */
export const REPLY_WIDTH = 5;

/**
 * Decides all throttlers of a request: looks at each, then counts.
 *
 * A key is a list: when its hits expire, in that order, and as the last element `anchor:block:last`, which is until when
 * `timeToExpire` tells the same moment, when the block ends (0: none), and when the last hit expires. Hits are added at
 * the end and cut off at the front; a thousand of them take 11 kB. Only where a `ttl` got shorter does a hit expire before
 * an older one, and has to be inserted.
 *
 * KEYS one per throttler · ARGV per throttler: ttl, limit, block (ms; 0: no block) ·
 * returns per throttler: refused, hits, ms until the anchor (-1: not set), ms to wait, ms until a hit expires (-1: none) ·
 * O(log hits), plus what expired
 */
export function hitsScript({ clock, keepMs }: DecideVariant = PRODUCTION) {
  return defineScript('throttler.hits', {
    keys: ['hits...'],
    args: ['limits...'],
    reply: (raw: readonly number[]) => raw,
    lua: `
local time = ${clock}
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local looks, anyRefused, reply = {}, false, {}

local function firstAfter(key, moment, count)
  local low, high = 0, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('LINDEX', key, middle) + 0 > moment then high = middle else low = middle + 1 end
  end
  return low
end

for i, key in ipairs(KEYS) do
  local ttl, limit, pause = ARGV[3 * i - 2] + 0, ARGV[3 * i - 1] + 0, ARGV[3 * i] + 0
  local look = { ttl = ttl, pause = pause, hits = 0, anchor = 0, block = 0, last = 0, counted = true }
  local state = redis.call('LINDEX', key, -1)
  if state then
    local anchor, block, last = string.match(state, '^(%d+):(%d+):(%d+)$')
    if not last then return redis.error_reply('ROOST foreign value at a throttler') end
    look.known, look.anchor, look.block, look.last = state, anchor + 0, block + 0, last + 0
    look.hits = redis.call('LLEN', key) - 1
    if look.hits > 0 then
      local gone = 0
      if look.last <= now then
        gone = look.hits
      else
        look.first = redis.call('LINDEX', key, 0) + 0
        if look.first <= now then gone = firstAfter(key, now, look.hits) end
      end
      if gone > 0 then
        redis.call('LTRIM', key, gone, -1)
        look.hits = look.hits - gone
        look.first = look.hits > 0 and redis.call('LINDEX', key, 0) + 0 or nil
      end
    end
  end
  if pause == 0 then
    look.refused = look.hits >= limit
    look.counted = not look.refused
  elseif look.block > now then
    look.refused, look.counted = true, false
  else
    look.over = look.block > 0
    if look.over then look.hits, look.first = 0, nil end
    look.refused = look.hits + 1 > limit
  end
  anyRefused = anyRefused or look.refused
  looks[i] = look
end

for i, key in ipairs(KEYS) do
  local look = looks[i]
  if look.refused or not anyRefused then
    if look.over then
      redis.call('DEL', key)
      look.known, look.block, look.last = nil, 0, 0
    end
    if look.anchor <= now then look.anchor = now + look.ttl end
    local hit = now + look.ttl
    if look.counted and look.refused then look.block = now + look.pause end
    local last = look.counted and math.max(look.last, hit) or look.last
    local state = string.format('%.0f:%.0f:%.0f', look.anchor, look.block, last)
    if look.counted then
      if not look.known then
        redis.call('RPUSH', key, hit, state)
      elseif look.hits == 0 or hit >= look.last then
        redis.call('LSET', key, -1, hit)
        redis.call('RPUSH', key, state)
      else
        local later = redis.call('LINDEX', key, firstAfter(key, hit, look.hits))
        redis.call('LINSERT', key, 'BEFORE', later, hit)
        redis.call('LSET', key, -1, state)
      end
      look.hits = look.hits + 1
      look.first = math.min(look.first or hit, hit)
    elseif not look.known then
      redis.call('RPUSH', key, state)
    elseif state ~= look.known then
      redis.call('LSET', key, -1, state)
    end
    if state ~= look.known then
      redis.call('PEXPIRE', key, math.max(look.anchor, look.block, last) - now + ${keepMs})
    end
  end
  local untilAnchor = look.anchor > now and look.anchor - now or -1
  local untilNext = look.first and look.first - now or -1
  local wait, told = 0, look.hits
  if look.refused then
    if look.pause > 0 then
      wait = look.block - now
    else
      wait, told = untilNext >= 0 and untilNext or math.max(untilAnchor, 0), look.hits + 1
    end
  end
  local at = ${REPLY_WIDTH} * (i - 1)
  reply[at + 1], reply[at + 2] = look.refused and 1 or 0, told
  reply[at + 3], reply[at + 4], reply[at + 5] = untilAnchor, wait, untilNext
end
return reply`,
  });
}

export type HitsScript = ReturnType<typeof hitsScript>;
