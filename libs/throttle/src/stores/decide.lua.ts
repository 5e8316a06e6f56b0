import { defineScript } from '@roost/redis';

/** What differs between the scripts of production and those that conformance tests run. */
export interface DecideVariant {
  /** A Lua expression for `{ seconds, microseconds }`. Production has Redis' own clock and no way to be given another. */
  readonly clock: string;
  /** Added to every expiry, in ms: under a clock that stands still, keys must outlive the test. */
  readonly keepMs: number;
}

const PRODUCTION: DecideVariant = { clock: `redis.call('TIME')`, keepMs: 0 };

const FOREIGN = `return redis.error_reply('ROOST foreign value at a rate limit')`;

/**
 * Decides all limits of a request. The scripts say what only they know, how much of each limit was used before the
 * request, and whether all of it fitted and was charged; the client computes the rest of the answer from that.
 *
 * Numbers are integers below 2^53, which Lua's doubles hold exactly and Redis reads exactly when they are passed to it as
 * numbers (`%.17g`; Lua's own `..` has `%.14g`). `+ 0` makes a number of an argument, faster than a call does. A value
 * that is not ours is an error and stays.
 */
export function decideScripts(variant: DecideVariant = PRODUCTION) {
  const one = { keys: ['limit'], args: ['request...'], reply: oneOf } as const;
  const several = { keys: ['limits...'], args: ['requests...'], reply: severalOf } as const;
  return {
    one: {
      consume: defineScript('rate.consume', { ...one, lua: luaOfOne(variant, true) }),
      peek: defineScript('rate.peek', { ...one, lua: luaOfOne(variant, false), readOnly: true }),
    },
    several: {
      consume: defineScript('rate.consume-all', { ...several, lua: luaOfSeveral(variant, true) }),
      peek: defineScript('rate.peek-all', { ...several, lua: luaOfSeveral(variant, false), readOnly: true }),
    },
  };
}

export type DecideScripts = ReturnType<typeof decideScripts>;

/**
 * One gcra limit, which is what most requests have: three quarters of what it takes the other script.
 * KEYS the limit · ARGV need, capacity (µs) · returns the µs used, or -1 minus them when the request does not fit · O(1)
 */
function luaOfOne({ clock, keepMs }: DecideVariant, charging: boolean): string {
  return `
local time = ${clock}
local now = time[1] * 1000000 + time[2]
local need, capacity = ARGV[1] + 0, ARGV[2] + 0
local stored = redis.call('GET', KEYS[1])
local used = 0
if stored then
  if not string.find(stored, '^%d+$') then ${FOREIGN} end
  if stored - now > 0 then used = stored - now end
end
if used + need > capacity then return -1 - used end
${charging ? `if need > 0 then ${setGcra('KEYS[1]', 'used + need', keepMs)} end` : ''}
return used`;
}

/**
 * Any limits: first looks at each, then writes only if every one allows.
 * KEYS one per limit · ARGV per limit: window (µs; 0 for gcra), need, capacity (µs for gcra, else a count) ·
 * returns whether all fit, now (µs), then per limit what is used · O(limits)
 */
function luaOfSeveral({ clock, keepMs }: DecideVariant, charging: boolean): string {
  const write = `
if reply[1] == 1 then
  for i, key in ipairs(KEYS) do
    local window, need, used = ARGV[3 * i - 2] + 0, ARGV[3 * i - 1] + 0, reply[i + 2]
    if need > 0 then
      if window == 0 then
        ${setGcra('key', 'used + need', keepMs)}
      else
        local index = math.floor(now / window)
        local value = string.format('%.0f:%.0f', index, used + need)
        redis.call('SET', key, value, 'PX', math.ceil(((index + 1) * window - now) / 1000) + ${keepMs})
      end
    end
  end
end`;
  return `
local time = ${clock}
local now = time[1] * 1000000 + time[2]
local reply = { 1, now }

for i, key in ipairs(KEYS) do
  local window, need, capacity = ARGV[3 * i - 2] + 0, ARGV[3 * i - 1] + 0, ARGV[3 * i] + 0
  local stored = redis.call('GET', key)
  local used = 0
  if stored and window == 0 then
    if not string.find(stored, '^%d+$') then ${FOREIGN} end
    if stored - now > 0 then used = stored - now end
  elseif stored then
    local index, count = string.match(stored, '^(%d+):(%d+)$')
    if not count then ${FOREIGN} end
    if tonumber(index) >= math.floor(now / window) then used = tonumber(count) end
  end
  if used + need > capacity then reply[1] = 0 end
  reply[i + 2] = used
end
${charging ? write : ''}
return reply`;
}

function setGcra(key: string, used: string, keepMs: number): string {
  return `redis.call('SET', ${key}, now + ${used}, 'PX', math.ceil((${used}) / 1000) + ${keepMs})`;
}

function oneOf(raw: number) {
  return raw < 0 ? { allowed: false, used: -1 - raw } : { allowed: true, used: raw };
}

function severalOf(raw: readonly number[]) {
  return { allowed: raw[0] === 1, nowUs: raw[1]!, used: (i: number) => raw[i + 2]! };
}
