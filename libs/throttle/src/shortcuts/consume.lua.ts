import { defineScript } from '@roost/redis';
import { nowLua, PRODUCTION, type DecideVariant } from '../stores/lua/clock.lua.js';

/** A key that is busy is not to expire and be made anew at every request: it lives so long, or for its window. */
const LEAST_MS = 1_000;

/** What `many` says in the place of how many were admitted: this demand is not for it. */
export const NOT_PLAIN = -1;

/**
 * Scripts for what many ask at the same time. A key under which there is more than a plain count (a block, held charges,
 * something foreign) is left alone, and its demand comes back unanswered.
 */
export function consumeScripts(variant: DecideVariant = PRODUCTION) {
  return {
    many: defineScript('rate.consume-many', {
      keys: ['limits...'],
      args: ['demands...'],
      reply: (raw: readonly number[]) => raw,
      lua: manyLua(variant),
      gathered: true,
    }),
    each: defineScript('rate.consume-each', {
      keys: ['limits...'],
      args: ['need', 'capacity'],
      reply: (raw: readonly (number | null)[]) => raw,
      lua: eachLua(variant),
      gathered: true,
    }),
  };
}

export type ConsumeScripts = ReturnType<typeof consumeScripts>;

/**
 * One decision about each of many different keys, all gcra and by one quota: what many subjects of one limit make.
 * KEYS the limits · ARGV need, capacity (µs) · returns now (µs), then per limit the µs used before, -1 minus them when the
 * request does not fit, or nil when the limit is left alone · O(limits)
 */
function eachLua(variant: DecideVariant): string {
  return `${nowLua(variant)}${READ_ALL}
local need, capacity = ARGV[1] + 0, ARGV[2] + 0
local least = min(capacity, ${LEAST_MS * 1_000})
local reply = { now }
for i = 1, #KEYS do
  local key, stored, used = KEYS[i], values[i], 0
  if not stored then
    used = not foreign[key] and used
  elseif not find(stored, '^%d+$') then
    used = false
  elseif stored - now > 0 then
    used = stored - now
  end
  if used and used + need > capacity then
    used = -1 - used
  elseif used and need > 0 then
    local after = used + need
    call('SET', key, format(whole, now + after), 'PX', format(whole, ceil(max(after, least) / 1000) + ${variant.keepMs}))
  end
  reply[i + 1] = used
end
return reply`;
}

/**
 * Many demands in their order. A demand is the same decision so many times: as many of them are admitted as fit every
 * limit of it, and each limit is charged for exactly those.
 *
 * KEYS the limits of all demands · ARGV how many shapes; per shape how many limits, and per limit window (µs; 0 for
 * gcra), need, capacity; then per run of demands alike: shape, demands, times · returns now (µs), then per demand how
 * many were admitted, and per limit what was used before · O(limits)
 */
function manyLua(variant: DecideVariant): string {
  const { keepMs } = variant;
  return `${nowLua(variant)}${READ_ALL}
local at, shapes = 2, {}
for i = 1, ARGV[1] + 0 do
  local shape = { ARGV[at] + 0 }
  for j = 2, 3 * shape[1] + 1 do shape[j] = ARGV[at + j - 1] + 0 end
  shapes[i], at = shape, at + 3 * shape[1] + 1
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
      local stored, used = written[key] or values[first + i], 0
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
          local used, value, ttl = reply[answer + i] + charge
          if window == 0 then
            value, ttl = format(whole, now + used), max(used, min(shape[3 * i + 1], ${LEAST_MS * 1_000}))
          else
            local index = floor(now / window)
            value, ttl = format('%.0f:%.0f', index, used), (index + 1) * window - now
          end
          call('SET', key, value, 'PX', format(whole, ceil(ttl / 1000) + ${keepMs}))
          written[key] = value
        end
      end
    end
    last = answer + limits
    first = first + limits
  end
end
return reply`;
}

/**
 * MGET reads all values at once, and takes a value of another type for none: what is missing is asked for by EXISTS.
 * Where a long has 64 bits, `whole` says whole numbers by it: in half the time that Redis takes to say them itself.
 */
const READ_ALL = `
local call, find, format = redis.call, string.find, string.format
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local whole = format('%d', 2 ^ 53) == '9007199254740992' and '%d' or '%.0f'

local values, missing, foreign = call('MGET', unpack(KEYS)), {}, {}
for i = 1, #KEYS do
  if not values[i] then missing[#missing + 1] = KEYS[i] end
end
if #missing > 0 and call('EXISTS', unpack(missing)) > 0 then
  for _, key in ipairs(missing) do foreign[key] = call('EXISTS', key) > 0 end
end
`;
