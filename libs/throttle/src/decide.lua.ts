import { defineScript } from '@roost/redis';
import type { StoreVerdict } from './rate-limit.store.js';

/** What differs between the script of production and the one that conformance tests run. */
export interface DecideVariant {
  /** A Lua expression for `{ seconds, microseconds }`. Production has Redis' own clock and no way to be given another. */
  readonly clock: string;
  /** Added to every expiry, in ms: under a clock that stands still, keys must outlive the test. */
  readonly keepMs: number;
}

const PRODUCTION: DecideVariant = { clock: `redis.call('TIME')`, keepMs: 0 };

/**
 * Decides all limits of a request: first computes each, then writes only if every one allows.
 * KEYS one per limit · ARGV per limit: algorithm, limit, window in µs, cost · returns allowed, then per limit: allowed,
 * remaining, ms to wait (-1: never), ms to reset · O(limits)
 *
 * Numbers are integers below 2^53, which Lua's doubles hold exactly. A value that is not ours is an error and stays.
 */
export function decideScripts(variant: DecideVariant = PRODUCTION) {
  const shape = { keys: ['limits...'], args: ['requests...'], reply: verdictOf } as const;
  return {
    consume: defineScript('rate.consume', { ...shape, lua: lua(variant, true) }),
    peek: defineScript('rate.peek', { ...shape, lua: lua(variant, false), readOnly: true }),
  };
}

export type DecideScripts = ReturnType<typeof decideScripts>;

function lua({ clock, keepMs }: DecideVariant, charging: boolean): string {
  return `
local time = ${clock}
local now = time[1] * 1000000 + time[2]
local levels, allowed = {}, true

for i, key in ipairs(KEYS) do
  local algorithm, at = ARGV[4 * i - 3], 4 * i
  local limit, window, cost = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), tonumber(ARGV[at])
  local stored = redis.call('GET', key)
  local level = { used = 0, limit = limit, cost = cost }
  if algorithm == 'gcra' then
    level.unit = math.ceil(window / math.max(limit, 1))
    level.capacity = limit * level.unit
    if stored then
      if not string.find(stored, '^%d+$') then return redis.error_reply('ROOST foreign value at a rate limit') end
      level.used = math.max(tonumber(stored) - now, 0)
    end
  else
    local index = math.floor(now / window)
    level.unit, level.capacity, level.index, level.ends = 1, limit, index, (index + 1) * window - now
    if stored then
      local window_of, count = string.match(stored, '^(%d+):(%d+)$')
      if not count then return redis.error_reply('ROOST foreign value at a rate limit') end
      if tonumber(window_of) >= index then level.used = tonumber(count) end
    end
  end
  level.fits = limit > 0 and cost <= limit and level.used + cost * level.unit <= level.capacity
  allowed = allowed and level.fits
  levels[i] = level
end

local reply = { allowed and 1 or 0 }
for i, level in ipairs(levels) do
  ${charging ? write(keepMs) : ''}
  local retry = 0
  if not level.fits then
    if level.limit == 0 or level.cost > level.limit then retry = -1
    else retry = math.ceil((level.ends or level.used + level.cost * level.unit - level.capacity) / 1000) end
  end
  local reset = 0
  if level.used > 0 then reset = math.ceil((level.ends or level.used) / 1000) end
  reply[4 * i - 2] = level.fits and 1 or 0
  reply[4 * i - 1] = math.max(math.floor((level.capacity - level.used) / level.unit), 0)
  reply[4 * i] = retry
  reply[4 * i + 1] = reset
end
return reply`;
}

function write(keepMs: number): string {
  return `if allowed and level.cost > 0 then
    level.used = level.used + level.cost * level.unit
    local value = string.format('%.0f', now + level.used)
    if level.index then value = string.format('%.0f:%.0f', level.index, level.used) end
    redis.call('SET', KEYS[i], value, 'PX', string.format('%.0f', math.ceil((level.ends or level.used) / 1000) + ${keepMs}))
  end`;
}

function verdictOf(raw: readonly number[]): StoreVerdict {
  const limits = Array.from({ length: (raw.length - 1) / 4 }, (_, i) => ({
    allowed: raw[4 * i + 1] === 1,
    remaining: raw[4 * i + 2]!,
    retryAfterMs: raw[4 * i + 3] === -1 ? null : raw[4 * i + 3]!,
    resetAfterMs: raw[4 * i + 4]!,
  }));
  return { allowed: raw[0] === 1, limits };
}
