import { defineScript } from '@roost/redis';
import { claimLua, mutexLua } from './mutex.fragment.js';

/** 1 granted, 0 busy, -1 quarantine; the token as text; ms until trying again makes sense. */
export type ClaimReply = readonly [state: number, token: string, ms: number];

/**
 * Asks for locks: all or none.
 * KEYS state, quarantine, and lock, queue, alive of each · O(locks)
 */
export const acquireMutex = defineScript('lock.acquire', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['quarantine', 'least', 'turns', 'holder', 'ttlMs', 'wait', 'waiterTtlMs', 'owner'],
  reply: (raw: ClaimReply) => raw,
  lua: `${mutexLua}
${claimLua}
return claim(incarnation(ARGV[1], ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8])`,
});

/**
 * Takes note of this Redis without a quarantine when it has no trace of locks.
 * KEYS state, quarantine · returns 1 when it did
 */
export const adoptSpace = defineScript('lock.adopt', {
  keys: ['state', 'quarantine'],
  args: ['least'],
  reply: Number,
  lua: `${mutexLua}
if call('HEXISTS', KEYS[1], 'inc') == 1 then return 0 end
incarnation('0 0', ARGV[1])
return 1`,
});
