import { defineScript } from '@roost/redis';
import { nowLua, PRODUCTION, type DecideVariant } from '../stores/lua/clock.lua.js';

/** A key that is busy is not to expire and be made anew at every request: it lives so long, or for its window. */
const LEAST_MS = 1_000;

/** What {@link consumeManyScript} says in the place of how many were admitted: this demand is not for it. */
export const NOT_PLAIN = -1;

/**
 * Decides many demands in one call, in their order. A demand is the same decision so many times: as many of them are
 * admitted as fit every limit of it, and each limit is charged for exactly those. A key under which there is more than a
 * plain count (a block, held charges, something foreign) is left alone, and its demand comes back unanswered.
 *
 * KEYS the limits of all demands · ARGV how many shapes; per shape how many limits, and per limit window (µs; 0 for
 * gcra), need, capacity; then per run of demands alike: shape, demands, times · returns now (µs), then per demand how
 * many were admitted, and per limit what was used before · O(limits)
 *
 * MGET reads all values at once, and takes a value of another type for none: what is missing is asked for by EXISTS.
 */
export function consumeManyScript(variant: DecideVariant = PRODUCTION) {
  const { keepMs } = variant;
  return defineScript('rate.consume-many', {
    keys: ['limits...'],
    args: ['demands...'],
    reply: (raw: readonly number[]) => raw,
    lua: `${nowLua(variant)}
local call, find, floor, ceil = redis.call, string.find, math.floor, math.ceil

local at, shapes = 2, {}
for i = 1, ARGV[1] + 0 do
  local shape = { ARGV[at] + 0 }
  for j = 2, 3 * shape[1] + 1 do shape[j] = ARGV[at + j - 1] + 0 end
  shapes[i], at = shape, at + 3 * shape[1] + 1
end

local values, missing = call('MGET', unpack(KEYS)), {}
for i = 1, #KEYS do
  if not values[i] then missing[#missing + 1] = KEYS[i] end
end
local foreign = {}
if #missing > 0 and call('EXISTS', unpack(missing)) > 0 then
  for _, key in ipairs(missing) do foreign[key] = call('EXISTS', key) > 0 end
end

local reply, last, first, written = { now }, 1, 0, {}
for run = at, #ARGV, 3 do
  local shape, demands, times = shapes[ARGV[run] + 0], ARGV[run + 1] + 0, ARGV[run + 2] + 0
  local limits = shape[1]
  for _ = 1, demands do
    local fit = times
    local answer = last + 1
    for i = 1, limits do
      local key = KEYS[first + i]
      local window, need, capacity = shape[3 * i - 1], shape[3 * i], shape[3 * i + 1]
      local stored, used = values[first + i], 0
      if written[key] then stored = call('GET', key) end
      if not stored then
        if foreign[key] then fit = ${NOT_PLAIN} end
      elseif window == 0 then
        if not find(stored, '^%d+$') then
          fit = ${NOT_PLAIN}
        elseif stored - now > 0 then
          used = stored - now
        end
      else
        local _, _, index, count = find(stored, '^(%d+):(%d+)$')
        if not count then
          fit = ${NOT_PLAIN}
        elseif index + 0 >= floor(now / window) then
          used = count + 0
        end
      end
      if fit > 0 then
        if used + need > capacity then
          fit = 0
        elseif used + need * fit > capacity then
          fit = floor((capacity - used) / need)
        end
      end
      reply[answer + i] = used
    end
    reply[answer] = fit
    if fit > 0 then
      for i = 1, limits do
        local key = KEYS[first + i]
        local window, charge = shape[3 * i - 1], shape[3 * i] * fit
        if charge > 0 then
          local used = reply[answer + i] + charge
          if window == 0 then
            local window_ms = ceil(shape[3 * i + 1] / 1000)
            local ttl = math.max(ceil(used / 1000), math.min(window_ms, ${LEAST_MS}))
            call('SET', key, now + used, 'PX', ttl + ${keepMs})
          else
            local index = floor(now / window)
            local value = string.format('%.0f:%.0f', index, used)
            call('SET', key, value, 'PX', ceil(((index + 1) * window - now) / 1000) + ${keepMs})
          end
          written[key] = true
        end
      end
    end
    last = answer + limits
    first = first + limits
  end
end
return reply`,
  });
}

export type ConsumeManyScript = ReturnType<typeof consumeManyScript>;
