import type { DecideVariant } from './clock.lua.js';

/**
 * sliding-log and concurrency: a sorted set of one member per unit, by when it leaves. A member is called by its kind,
 * the name of its charge and its number within it, so that a charge is found again in O(log n): `h` can be settled, `e`
 * too and leaves early when nobody does, `s` was settled, `u` is to nobody's account. With a block a string takes the
 * set's place.
 */
export function ledgerLua({ keepMs }: DecideVariant): string {
  return `
local function read_ledger(at)
  at.leaves, at.used = true, 0
  local used = redis.pcall('ZCOUNT', at.key, string.format('(%.0f', now), '+inf')
  if type(used) ~= 'number' then return false end -- another type: a block, or GET says what is wrong
  at.used = used
  return true
end

-- When the nth member from the last leaves, counted from now: members that have left stand before all others.
local function leaves_in(at, nth)
  local member = redis.call('ZRANGE', at.key, -nth, -nth, 'WITHSCORES')
  return member[2] and member[2] - now or 0
end

local function waits(at, limit, cost)
  if at.used == 0 then return 0, 0 end
  local retry = cost >= 0 and cost <= limit and at.used + cost > limit and leaves_in(at, limit - cost + 1) or 0
  return retry, leaves_in(at, 1)
end

local function keep(at)
  if at.text then redis.call('DEL', at.key) end -- what is left of a block
  redis.call('ZREMRANGEBYSCORE', at.key, '-inf', now)
end

local function expire(at)
  local left = leaves_in(at, 1)
  if left > 0 then redis.call('PEXPIRE', at.key, math.ceil(left / 1000) + ${keepMs}) end
end

local function member(kind, id, i)
  return string.format('%s%s:%05d', kind, id, i)
end

-- unpack() takes some thousands of values at most.
local function add_members(at, kind, id, from, to, score)
  for first = from, to, 1000 do
    local members = {}
    for i = first, math.min(first + 999, to) do
      members[#members + 1] = score
      members[#members + 1] = member(kind, id, i)
    end
    redis.call('ZADD', at.key, unpack(members))
  end
end

-- Which kind of member a charge has that can be settled, and when they leave.
local function find_members(at, id)
  for _, kind in ipairs({ 'h', 'e' }) do
    local score = redis.call('ZSCORE', at.key, member(kind, id, 0))
    if score and score - now > 0 then return kind, score + 0 end
  end
end

local function remove_members(at, kind, id, count)
  local removed = 0
  for first = 0, count - 1, 1000 do
    local members = {}
    for i = first, math.min(first + 999, count - 1) do members[#members + 1] = member(kind, id, i) end
    removed = removed + redis.call('ZREM', at.key, unpack(members))
  end
  return removed
end

local function add(at, kind, count, id, expires)
  keep(at)
  local score = now + at.window
  if expires > 0 and expires * 1000 < at.window and at.algorithm == 'sliding-log' then
    kind, score = 'e', now + expires * 1000
  end
  add_members(at, kind, id, 0, count - 1, score)
  expire(at)
end
`;
}
