import type { DecideVariant } from './clock.lua.js';
import { stateLua } from './state.lua.js';

const SETTLE_STRIDE = 7;
const RENEW_STRIDE = 3;
const ADJUST_STRIDE = 5;

/**
 * Settles held charges, each once.
 * KEYS the limits · ARGV for each: algorithm, window, capacity, name, held, and what was charged too much or too little,
 * in the unit of the limit · returns 1 (2: the boundaries are of another time), now (µs), how many were known ·
 * O(limits), for ledgers O(held)
 */
export function settleLua(variant: DecideVariant): string {
  return `
${stateLua(variant)}
local function settle_pending(at, id, refund, extra, most)
  for i, each in ipairs(at.pending or {}) do
    if each.id == id then
      local part = at.previous and each.mark ~= at.index and 'previous' or 'used'
      at[part] = at[part] - math.min(refund, each.amount)
      at.used = math.max(at.used, math.min(at.used + extra, most))
      table.remove(at.pending, i)
      save(at)
      return 1
    end
  end
  return 0
end

local function settle_members(at, id, held, refund, extra, most)
  if at.used == 0 then return 0 end
  local kind, score = find_members(at, id)
  if not kind then return 0 end
  keep(at)
  local found = remove_members(at, kind, id, math.min(held, at.used))
  local kept = math.min(found, math.max(held - refund, 0))
  add_members(at, 's', id, 0, kept - 1, kind == 'e' and now + at.window or score)
  local more = math.min(extra, most - (at.used - found + kept))
  add_members(at, 's', id, held, held + more - 1, now + at.window)
  expire(at)
  return 1
end

local known, limits = 0, {}
for i, key in ipairs(KEYS) do
  local a = (i - 1) * ${SETTLE_STRIDE}
  limits[i] = open(key, ARGV[a + 1], ARGV[a + 2])
  if limits[i].lost then return { 2, now } end
end
for i, at in ipairs(limits) do
  local a = (i - 1) * ${SETTLE_STRIDE}
  local most, id, refund, extra = 2 * ARGV[a + 3], ARGV[a + 4], ARGV[a + 6] + 0, ARGV[a + 7] + 0
  if at.leaves then
    known = known + settle_members(at, id, ARGV[a + 5] + 0, refund, extra, most)
  else
    known = known + settle_pending(at, id, refund, extra, most)
  end
end
return { 1, now, known }`;
}

/**
 * Prolongs slots of concurrency by the window.
 * KEYS the limits · ARGV for each: window (µs), name, held · returns how many were still held · O(held log n)
 */
export function renewLua(variant: DecideVariant): string {
  return `
${stateLua(variant)}
local known = 0
for i, key in ipairs(KEYS) do
  local a = (i - 1) * ${RENEW_STRIDE}
  local at = open(key, 'concurrency', ARGV[a + 1])
  if at.used > 0 and find_members(at, ARGV[a + 2]) then
    local found = remove_members(at, 'h', ARGV[a + 2], math.min(ARGV[a + 3], at.used))
    add_members(at, 'h', ARGV[a + 2], 0, found - 1, now + at.window)
    expire(at)
    known = known + 1
  end
end
return known`;
}

/**
 * Charges each limit by itself, to one more limit of debt at most, or gives back.
 * KEYS the limits · ARGV for each: algorithm, window, capacity, change (in the unit of the limit), a name for ledgers ·
 * returns 1 (2: the boundaries are of another time), now (µs), then three numbers per limit as they are then, for a
 * request of cost 1 · O(limits), for ledgers O(change)
 */
export function adjustLua(variant: DecideVariant): string {
  return `
${stateLua(variant)}
local function give_back(at, amount)
  local left = math.max(at.used - amount, 0)
  if at.previous then
    local rest = amount - (at.used - left)
    local share = math.floor(rest * at.window / (at.window - at.elapsed)) -- of a request long ago less than one counts
    at.previous = math.max(at.previous - share, 0)
  end
  at.used = left
end

local function adjust_members(at, capacity, change, id)
  if change > 0 then
    local more = math.min(change, math.max(2 * capacity - at.used, 0))
    if more > 0 then add(at, 'u', more, id, -1) end
    at.used = at.used + more
  else
    local less = math.min(-change, at.used)
    if less > 0 then redis.call('ZREMRANGEBYRANK', at.key, -less, -1) end
    at.used = at.used - less
  end
end

local reply, limits = { 1, now }, {}
for i, key in ipairs(KEYS) do
  local a = (i - 1) * ${ADJUST_STRIDE}
  limits[i] = open(key, ARGV[a + 1], ARGV[a + 2])
  if limits[i].lost then return { 2, now } end
end
for i, at in ipairs(limits) do
  local a = (i - 1) * ${ADJUST_STRIDE}
  local capacity, change = ARGV[a + 3] + 0, ARGV[a + 4] + 0
  if change ~= 0 and not at.blocked then
    if at.leaves then
      adjust_members(at, capacity, change, ARGV[a + 5])
    else
      if change < 0 then give_back(at, -change)
      else at.used = math.max(at.used, math.min(at.used + change, 2 * capacity)) end
      save(at)
    end
  end
  tell(reply, at, capacity, 1)
end
return reply`;
}
