import { defineScript } from '@roost/redis';

/**
 * A sorted set in microseconds of this server's clock: `:token` of each who runs → when its lease ends; `tat` → until when
 * the rate is charged. What lies in the past means nothing, whichever it is.
 */
const clockLua = `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function put(member, us)
  redis.call('ZADD', key, us, member)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', key, math.ceil(last / 1000))
end`;

/** 0 granted, 1 no place, 2 too early; then for how many ms. */
export type AcquireReply = readonly [state: 0 | 1 | 2, waitMs: number];

/**
 * Takes a place, and charges the rate.
 * ARGV token · how many may run (0: any) · what a start costs and how far ahead may be charged in µs (0: nothing) · lease
 * in ms · O(log holders), plus what ran out
 */
export const acquireKey = defineScript('queue.limit.acquire', {
  keys: ['limit'],
  args: ['token', 'concurrency', 'intervalUs', 'burstUs', 'leaseMs'],
  reply: (raw: AcquireReply) => raw,
  lua: `${clockLua}
local holder, concurrency, interval, burst = ':' .. ARGV[1], ARGV[2] + 0, ARGV[3] + 0, ARGV[4] + 0
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
if not redis.call('ZSCORE', key, holder) then
  local tat = redis.call('ZSCORE', key, 'tat')
  if concurrency > 0 and redis.call('ZCARD', key) - (tat and 1 or 0) >= concurrency then
    local first = redis.call('ZRANGE', key, 0, 1, 'WITHSCORES')
    local ends = first[1] == 'tat' and first[4] or first[2]
    return { 1, math.ceil((ends - now) / 1000) }
  end
  if interval > 0 then
    local from = tat and tat + 0 or now
    if from > now + burst then -- charged by a slower rate, which holds no longer
      from = now + burst
      put('tat', from)
    end
    local wait = from + interval - burst - now
    if wait > 0 then return { 2, math.ceil(wait / 1000) } end
    put('tat', from + interval)
  end
end
put(holder, now + ARGV[5] * 1000)
return { 0, 0 }`,
});

/** Gives places a full lease again. ARGV lease in ms, tokens · returns for each 1, or 0 when it was lost · O(tokens × log holders) */
export const renewKey = defineScript('queue.limit.renew', {
  keys: ['limit'],
  args: ['leaseMs', 'tokens...'],
  reply: (raw: readonly number[]) => raw,
  lua: `${clockLua}
local kept = {}
for at = 2, #ARGV do
  local holder = ':' .. ARGV[at]
  local ends = redis.call('ZSCORE', key, holder)
  kept[at - 1] = ends and ends + 0 > now and 1 or 0
  if kept[at - 1] == 1 then put(holder, now + ARGV[1] * 1000) end
end
return kept`,
});

/** Gives a place back. ARGV token · O(log holders) */
export const releaseKey = defineScript('queue.limit.release', {
  keys: ['limit'],
  args: ['token'],
  reply: Number,
  lua: `return redis.call('ZREM', KEYS[1], ':' .. ARGV[1])`,
});
