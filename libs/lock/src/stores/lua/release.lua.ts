import { defineScript } from '@roost/redis';
import type { ClaimReply } from './acquire.lua.js';
import { claimLua, mutexLua } from './mutex.fragment.js';

/** 1 released, 0 absent, -1 somebody else's; and the next claim's reply. */
export type PassReply = readonly [outcome: number, ...next: ClaimReply];

/** Both scripts begin their arguments with turns, holder and token. `wakeFreed()` tells those whose turn has come. */
const giveBackLua = `
local outcome, freed = 1, {}
local mine = ARGV[2] .. '|' .. ARGV[3]
for lock = 3, #KEYS, 3 do
  local value = call('GET', KEYS[lock])
  if not value or isOf(value, mine) then
    freed[lock] = drop(KEYS[lock], ARGV[3])
    if not value then outcome = math.min(outcome, 0) end
  else
    outcome = math.min(outcome, isOf(value, '') and 0 or -1)
  end
end
local function wakeFreed()
  for lock = 3, #KEYS, 3 do
    if freed[lock] then wake(ARGV[1], KEYS[lock + 1], KEYS[lock + 2]) end
  end
end`;

/**
 * Gives locks back, and tells whose turn it is.
 * KEYS state, quarantine, and lock, queue, alive of each · returns 1 released, 0 absent, -1 somebody else's · O(locks)
 */
export const releaseMutex = defineScript('lock.release', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['turns', 'holder', 'token'],
  reply: Number,
  lua: `
-- One lock, as nearly always, that nobody waits for, and no quarantine: it only has to go.
if #KEYS == 5 and redis.call('EXISTS', KEYS[2], KEYS[4]) == 0 then
  local value, mine = redis.call('GET', KEYS[3]), ARGV[2] .. '|' .. ARGV[3] .. '|'
  if value and string.sub(value, 1, #mine) == mine then return redis.call('DEL', KEYS[3]) end
end
${mutexLua}
${giveBackLua}
wakeFreed()
return outcome`,
});

/**
 * Gives locks back and asks for them for the next of the same process; when that one does not get them, tells whose turn
 * it is.
 * KEYS state, quarantine, and lock, queue, alive of each · O(locks)
 */
export const passMutex = defineScript('lock.pass', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['turns', 'holder', 'token', 'quarantine', 'least', 'next', 'ttlMs', 'wait', 'waiterTtlMs', 'owner'],
  reply: (raw: PassReply) => raw,
  lua: `${mutexLua}
${claimLua}
local epoch = incarnation(ARGV[4], ARGV[5])
${giveBackLua}
local next = claim(epoch, ARGV[1], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
if next[1] ~= 1 then wakeFreed() end
return { outcome, next[1], next[2], next[3] }`,
});

/**
 * Takes a claim back, whether it waits, was granted or has never arrived.
 * KEYS state, quarantine, and lock, queue, alive of each · O(locks)
 */
export const withdrawMutex = defineScript('lock.withdraw', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['turns', 'holder'],
  reply: Number,
  lua: `${mutexLua}
for lock = 3, #KEYS, 3 do
  local left = leave(KEYS[lock + 1], KEYS[lock + 2], ARGV[2])
  local value = call('GET', KEYS[lock])
  local mine = isOf(value, ARGV[2])
  if mine then drop(KEYS[lock], tokenIn(value)) end
  if mine or (left and not value) then wake(ARGV[1], KEYS[lock + 1], KEYS[lock + 2]) end
end
return 1`,
});
