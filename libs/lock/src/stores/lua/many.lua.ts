import { defineScript } from '@roost/redis';
import { mutexLua } from './mutex.fragment.js';

/** Reads what all of them need in a few calls; `plain(i)` says whether nobody waits for the i-th. */
const readAllLua = `
local locks, queues = {}, {}
for at = 3, #KEYS, 2 do
  locks[#locks + 1] = KEYS[at]
  queues[#queues + 1] = KEYS[at + 1]
end
local decides = quarantineLeft() == 0
local values = decides and call('MGET', unpack(locks)) or {}
local queued = decides and call('EXISTS', unpack(queues)) > 0
local function plain(i)
  return decides and not (queued and call('EXISTS', queues[i]) == 1)
end`;

/**
 * Grants those locks that are free and that nobody waits for, each by itself. What is not that simple is left alone, also
 * in a quarantine: the script for one lock decides about it.
 * KEYS state, quarantine, and lock, queue of each · ARGV after three: holder, lifetime (ms) of each · returns for each the
 * token, or nil when it was left alone · O(locks)
 */
export const acquireMany = defineScript('lock.acquire-many', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['quarantine', 'least', 'owner', 'claims...'],
  reply: (raw: readonly (string | null)[]) => raw,
  gathered: true,
  lua: `${mutexLua}
local epoch = incarnation(ARGV[1], ARGV[2])
${readAllLua}
local free = {}
for i = 1, #locks do
  if not values[i] and plain(i) then free[#free + 1] = i end
end
local replies = {}
for i = 1, #locks do replies[i] = false end
if #free == 0 then return replies end

local first
epoch, first = nextTokens(epoch, #free)
local tail = '|' .. string.format('%.0f', now) .. '|' .. ARGV[3]
for n, i in ipairs(free) do
  local holder, ttlMs = ARGV[2 * i + 2], ARGV[2 * i + 3]
  local token = string.format('%.0f:%.0f', epoch, first + n - 1)
  -- NX, as one lock may be asked for twice.
  if call('SET', locks[i], holder .. '|' .. token .. tail, 'NX', 'PX', ttlMs) then replies[i] = token end
end
return replies`,
});

/**
 * Gives back those locks that nobody waits for. What is not that simple is left alone, also in a quarantine: the script for
 * one lock decides about it.
 * KEYS state, quarantine, and lock, queue of each · ARGV `holder|token` of each · returns for each 1 released, 0 absent, or
 * nil when it was left alone · O(locks)
 */
export const releaseMany = defineScript('lock.release-many', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['holds...'],
  reply: (raw: readonly (number | null)[]) => raw,
  gathered: true,
  lua: `${mutexLua}
${readAllLua}
local replies, released = {}, {}
for i, lock in ipairs(locks) do
  replies[i] = false
  if (not values[i] or isOf(values[i], ARGV[i])) and plain(i) then
    replies[i] = values[i] and 1 or 0
    if values[i] then released[#released + 1] = lock end
  end
end
if #released > 0 then call('DEL', unpack(released)) end
return replies`,
});
