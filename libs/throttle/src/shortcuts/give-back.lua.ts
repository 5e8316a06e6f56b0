import { defineScript } from '@roost/redis';
import { nowLua, PRODUCTION, type DecideVariant } from '../stores/lua/clock.lua.js';

/**
 * Gives back what is left of a lease, as far as it has not melted on the way: what the limit has refilled would otherwise
 * come twice. Changes nothing when the window is over, or when there is more than a plain count.
 * KEYS the limit · ARGV what is left (µs for gcra, else a count), since when it melts or of when it is (µs), window (µs; 0
 * for gcra) · returns how much was given back · O(1)
 */
export function giveBackScript(variant: DecideVariant = PRODUCTION) {
  const { keepMs } = variant;
  return defineScript('rate.give-back', {
    keys: ['limit'],
    args: ['lease...'],
    reply: Number,
    lua: `${nowLua(variant)}
local left, since, window = ARGV[1] + 0, ARGV[2] + 0, ARGV[3] + 0
local stored = redis.call('GET', KEYS[1])
if not stored then return 0 end

if window > 0 then
  local current = math.floor(now / window)
  local _, _, index, count = string.find(stored, '^(%d+):(%d+)$')
  if not count or index + 0 ~= current or math.floor(since / window) ~= current then return 0 end
  local back = math.min(left, count + 0)
  local value = string.format('%.0f:%.0f', current, count - back)
  redis.call('SET', KEYS[1], value, 'PX', math.ceil(((current + 1) * window - now) / 1000) + ${keepMs})
  return back
end

if not string.find(stored, '^%d+$') then return 0 end
local used = stored - now
local back = math.min(left - (now - since), used)
if back <= 0 then return 0 end
used = used - back
redis.call('SET', KEYS[1], now + used, 'PX', math.max(math.ceil(used / 1000), 1) + ${keepMs})
return back`,
  });
}

export type GiveBackScript = ReturnType<typeof giveBackScript>;
