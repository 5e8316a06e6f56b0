import { defineScript } from '@roost/redis';
import { claimSharedLua, sharedLua } from './shared.fragment.js';

/** 1 granted, 0 busy, -1 quarantine, -2 another limit; the token as text; ms until trying again makes sense, or the limit. */
export type SharedClaimReply = readonly [state: number, token: string, number: number];

/** Asks for units of a read-write lock or a semaphore. KEYS of one lock · O(log holders) */
export const acquireShared = defineScript('lock.shared.acquire', {
  keys: ['state', 'quarantine', 'holders', 'ends', 'queue', 'alive'],
  args: ['quarantine', 'least', 'turns', 'holder', 'weight', 'limit', 'ttlMs', 'wait', 'waiterTtlMs', 'owner'],
  reply: (raw: SharedClaimReply) => raw,
  lua: `${sharedLua}
${claimSharedLua}
return claim(incarnation(ARGV[1], ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])`,
});

/**
 * Gives holds their full lifetime again. In a quarantine a hold that Redis lost is put back, without a look at the limit:
 * those who reclaim held it together before, and nobody else is let in. While a former primary may still grant, none is
 * given more time.
 * KEYS state, quarantine, and holders and ends of each hold · ARGV after three: holder, token, weight, limit and lifetime
 * (ms) of each hold · returns for each 1 extended, 2 reclaimed, 3 not yet, 0 lost · O(holds × log holders)
 */
export const extendShared = defineScript('lock.shared.extend', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['quarantine', 'least', 'owner', 'holds...'],
  reply: (raw: readonly number[]) => raw,
  lua: `${sharedLua}
incarnation(ARGV[1], ARGV[2])
local grace = quarantineLeft() > 0
local early = grace and unsettled()
local outcomes = {}
for at = 4, #ARGV, 5 do
  local holder, token, weight, limit, ttlMs = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local lock = 3 + #outcomes * 2
  local holders, ends = KEYS[lock], KEYS[lock + 1]
  prune(holders, ends)
  local value = call('HGET', holders, holder)
  local outcome = 0
  if value and weightIn(value) > 0 and tokenIn(value) == token then
    outcome = 1
    if not early then keep(holders, ends, holder, ttlMs) end
  elseif grace and (not value or newer(token, tokenIn(value))) then
    outcome = 2
    if not early then put(holders, ends, holder, weight, limit, token, ttlMs, ARGV[3]) end
  end
  outcomes[#outcomes + 1] = outcome > 0 and early and 3 or outcome
end
return outcomes`,
});
