import { FOREIGN, nowLua, type DecideVariant } from './clock.lua.js';

/**
 * Blocks what these keys count for; what was counted is forgotten.
 * KEYS limits · ARGV how long (ms) · returns how many · O(limits)
 */
export function blockLua(variant: DecideVariant): string {
  return `
${nowLua(variant)}
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then
    if not string.find(redis.call('GET', key), '^[!%d]') then ${FOREIGN} end
  elseif kind ~= 'none' and kind ~= 'zset' then
    ${FOREIGN}
  end
end
local ms = ARGV[1] + 0
for _, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('!%.0f', now + ms * 1000), 'PX', ms + ${variant.keepMs})
end
return #KEYS`;
}

/**
 * Lifts blocks; everything else stays.
 * KEYS limits · returns how many there were · O(limits)
 */
export function unblockLua(variant: DecideVariant): string {
  return `
${nowLua(variant)}
local lifted = 0
for _, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'string' then
    local till = string.match(redis.call('GET', key), '^!(%d+)$')
    if till then
      redis.call('DEL', key)
      if till - now > 0 then lifted = lifted + 1 end
    end
  end
end
return lifted`;
}

/**
 * How many refusals are remembered.
 * KEYS violations · returns one number per key · O(keys)
 */
export function violationsLua(variant: DecideVariant): string {
  return `
${nowLua(variant)}
local reply = {}
for i, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  reply[i] = 0
  if stored then
    local count, till = string.match(stored, '^(%d+):(%d+)$')
    if not count then ${FOREIGN} end
    if till - now > 0 then reply[i] = count + 0 end
  end
end
return reply`;
}
