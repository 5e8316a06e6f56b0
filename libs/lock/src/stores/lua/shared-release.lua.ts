import { defineScript } from '@roost/redis';
import type { SharedClaimReply } from './shared-acquire.lua.js';
import { claimSharedLua, sharedLua } from './shared.fragment.js';

/** 1 released, 0 absent; and the next claim's reply, if there was one. */
export type SharedReleaseReply = readonly [outcome: number, ...next: SharedClaimReply | readonly []];

/**
 * Gives units back, asks for some for the next of the same process (none when its name is empty), and tells whose turn
 * it is. KEYS of one lock · O(log holders)
 */
export const releaseShared = defineScript('lock.shared.release', {
  keys: ['state', 'quarantine', 'holders', 'ends', 'queue', 'alive'],
  args: [
    'quarantine',
    'least',
    'turns',
    'holder',
    'token',
    'next',
    'weight',
    'limit',
    'ttlMs',
    'wait',
    'waiterTtlMs',
    'owner',
  ],
  reply: (raw: SharedReleaseReply) => raw,
  lua: `${sharedLua}
${claimSharedLua}
local holders, ends = KEYS[3], KEYS[4]
local epoch = ARGV[6] ~= '' and incarnation(ARGV[1], ARGV[2])
prune(holders, ends)
local value = valueOf(holders, ARGV[4])
local outcome = value and tokenIn(value) == ARGV[5] and 1 or 0
if outcome == 1 or not value then drop(holders, ends, ARGV[4], ARGV[5]) end
local next = epoch and claim(epoch, ARGV[3], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
if not next or next[1] ~= 1 then wakeIfRoom(ARGV[3], holders, KEYS[5], KEYS[6]) end
return next and { outcome, next[1], next[2], next[3] } or { outcome }`,
});

/** Takes a claim back, whether it waits, was granted or has never arrived. KEYS of one lock · O(log holders) */
export const withdrawShared = defineScript('lock.shared.withdraw', {
  keys: ['state', 'quarantine', 'holders', 'ends', 'queue', 'alive'],
  args: ['turns', 'holder'],
  reply: Number,
  lua: `${sharedLua}
local holders, ends = KEYS[3], KEYS[4]
local left = leave(KEYS[5], KEYS[6], ARGV[2])
prune(holders, ends)
local value = valueOf(holders, ARGV[2])
if value then drop(holders, ends, ARGV[2], tokenIn(value)) end
if left or value then wakeIfRoom(ARGV[1], holders, KEYS[5], KEYS[6]) end
return 1`,
});
