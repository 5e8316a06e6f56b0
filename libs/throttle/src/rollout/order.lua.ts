import { defineScript } from '@roost/redis';

/**
 * Changes the orders: one by one, so that two processes that change different things at once keep both. `how` is `merge`,
 * `anew` (forget all others) or `restore` (only if there are none). What is no JSON is replaced.
 * KEYS the orders · ARGV changes (JSON, null takes an order back), how, expiry (ms) · returns the JSON written · O(orders)
 */
export const changeOrders = defineScript('rate.rollout', {
  keys: ['rollout'],
  args: ['changes', 'how', 'ttlMs'],
  reply: (raw: string) => raw,
  lua: `
local stored = redis.call('GET', KEYS[1])
local state = { version = 0, orders = {} }
if stored then
  local ok, found = pcall(cjson.decode, stored)
  if ok and type(found) == 'table' and type(found.orders) == 'table' then
    if ARGV[2] == 'restore' then return stored end
    state.version = tonumber(found.version) or 0
    if ARGV[2] == 'merge' then state.orders = found.orders end
  end
end
for name, order in pairs(cjson.decode(ARGV[1])) do
  if order == cjson.null then state.orders[name] = nil else state.orders[name] = order end
end
local time = redis.call('TIME')
state.version = math.max(state.version + 1, time[1] * 1000 + math.floor(time[2] / 1000))
local written = cjson.encode(state)
redis.call('SET', KEYS[1], written, 'PX', ARGV[3])
return written`,
});
