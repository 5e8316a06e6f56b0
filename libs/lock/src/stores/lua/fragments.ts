import { TOKEN_FORMAT } from '../lock.token.js';

/**
 * What the scripts of locks share. Each begins with {@link spaceLua}, and has the space's state as KEYS[1] and its
 * quarantine as KEYS[2].
 */

const { sinceMs, sequenceBits, bitsPerMs } = TOKEN_FORMAT;
/** 90 days, as `lockKeys` say. */
const STATE_TTL_MS = 7_776_000_000;

/**
 * `call`, `clock` (of the server), `now` in ms, and what the space knows:
 * `incarnation(quarantine, least)` finds out whether Redis lost its memory, begins the quarantine if so, and returns the
 * epoch; call it before anything is granted or reclaimed. `quarantine` is how long it lasts and for how much of that a
 * former primary may go on granting, in ms; `least` is a token that was given once, as `epoch:sequence`.
 * `quarantineLeft()` is in ms, 0 without one.
 * `unsettled()` says whether a former primary may still grant what is held here, once its time is over there.
 * `nextToken(epoch)` counts a grant and returns its token as `epoch:sequence`.
 * `nextTokens(epoch, grants)` counts several, and returns the epoch and the first sequence number.
 * `newer(a, b)` says whether token a is greater than b.
 *
 * The replication id changes with each start and each promotion, also when the data survived; a connection cannot know,
 * as a replica can be promoted under it. A user who may not ask for it sees an empty Redis, but no failover.
 */
export const spaceLua = `
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function incarnation(quarantine, least)
  local told = redis.pcall('INFO', 'replication')
  local _, before = string.find(type(told) == 'string' and told or '', 'master_replid:', 1, true)
  local id = before and string.match(told, '^%x+', before + 1)
  local state = call('HMGET', KEYS[1], 'inc', 'epoch', 'fence', 'day')
  local day = math.floor(clock[1] / 86400)
  if tonumber(state[4]) ~= day then -- once a day is often enough for 90 of them
    call('HSET', KEYS[1], 'day', day)
    call('PEXPIRE', KEYS[1], ${STATE_TTL_MS})
  end
  local epoch, count = tonumber(state[2] or 0), tonumber(state[3] or 0)
  local leastEpoch, leastCount = string.match(least, '^(%d+):(%d+)$')
  leastEpoch, leastCount = tonumber(leastEpoch), tonumber(leastCount)
  local lost = not state[1] or (id and state[1] ~= id)
  local behind = epoch < leastEpoch or (epoch == leastEpoch and count < leastCount)
  if not lost and not behind then return epoch end
  if behind then epoch, count = leastEpoch, leastCount end
  -- By the clock, and never ahead of it while it is right: whoever knows less comes to no smaller token after a loss. Not
  -- from 0, as a Redis that forgot its epoch may have begun it within this very second.
  local second, first = clock[1] - ${sinceMs / 1_000}, math.floor(clock[2] / 1000) * ${2 ** bitsPerMs}
  if second > epoch or (second == epoch and first > count) then
    epoch, count = second, first
  elseif lost then
    epoch, count = epoch + 1, first
  end
  call('HSET', KEYS[1], 'inc', id or state[1] or 'unknown', 'epoch', string.format('%.0f', epoch))
  call('HSET', KEYS[1], 'fence', string.format('%.0f', count))
  local lasts, isolated = string.match(quarantine, '^(%d+) (%d+)$')
  if lost and tonumber(lasts) > 0 then call('SET', KEYS[2], string.format('%.0f', now + isolated), 'PX', lasts) end
  return epoch
end

local function quarantineLeft()
  return math.max(call('PTTL', KEYS[2]), 0)
end

local function unsettled()
  return now < tonumber(call('GET', KEYS[2]) or 0)
end

local function nextTokens(epoch, grants)
  local count = call('HINCRBY', KEYS[1], 'fence', grants)
  if count >= ${2 ** sequenceBits} then
    epoch, count = epoch + 1, grants
    call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'fence', count)
  end
  return epoch, count - grants + 1
end

local function nextToken(epoch)
  return string.format('%.0f:%.0f', nextTokens(epoch, 1))
end

local function newer(a, b)
  local aEpoch, aCount = string.match(a, '^(%d+):(%d+)$')
  local bEpoch, bCount = string.match(b, '^(%d+):(%d+)$')
  if not aEpoch or not bEpoch then return false end
  if aEpoch ~= bEpoch then return tonumber(aEpoch) > tonumber(bEpoch) end
  return tonumber(aCount) > tonumber(bCount)
end`;

/**
 * The queue of one lock: `queue` has places by arrival, `alive` until when each is heard of. Who was not heard of in
 * time is dropped when its turn comes, so that a process that died holds nobody up.
 * `headOf(queue, alive)` is whose turn it is among the living, or nil.
 * `placeOf(queue, holder)` is its place, or false.
 * `enqueue(queue, alive, holder, waiterTtlMs, place)` joins at the place, or stays where it stands, and is heard of.
 * `newPlace()` is the tail of all queues: who stands in several has the same place in each, so that no two can wait for
 * each other.
 * `leave(queue, alive, holder)` returns whether it stood there.
 * `wake(turns, queue, alive)` tells the head's process; `turns` is the channel's name on the wire without the instance.
 */
export const queueLua = `
local function headOf(queue, alive)
  local head
  for _ = 1, 64 do
    head = call('ZRANGE', queue, 0, 0)[1]
    if not head then return nil end
    local till = call('ZSCORE', alive, head)
    if till and tonumber(till) > now then return head end
    call('ZREM', queue, head)
    call('ZREM', alive, head)
  end
  return call('ZRANGE', queue, 0, 0)[1]
end

local function placeOf(queue, holder)
  return call('ZSCORE', queue, holder)
end

local function newPlace()
  return call('HINCRBY', KEYS[1], 'seq', 1)
end

local function enqueue(queue, alive, holder, waiterTtlMs, place)
  call('ZADD', queue, place, holder)
  call('ZADD', alive, now + waiterTtlMs, holder)
  call('PEXPIRE', queue, 2 * waiterTtlMs)
  call('PEXPIRE', alive, 2 * waiterTtlMs)
end

local function leave(queue, alive, holder)
  call('ZREM', alive, holder)
  return call('ZREM', queue, holder) == 1
end

local function wake(turns, queue, alive)
  local head = headOf(queue, alive)
  -- A user who may not publish must still be able to release: the head asks again by itself.
  if head then redis.pcall('PUBLISH', turns .. string.match(head, '^[^.]*'), head) end
end`;
