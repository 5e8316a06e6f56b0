import { defineScript } from '@roost/redis';
import { mutexLua } from './mutex.fragment.js';

/**
 * Gives holds their full lifetime again. In a quarantine a hold that Redis lost is put back, also in the place of an
 * older one that came back with old data. While a former primary may still grant, which knows of no extension here, none is
 * given more time.
 * KEYS state, quarantine, and the locks of all holds · ARGV after three: number of locks, holder, token and lifetime (ms)
 * of each hold · returns for each 1 extended, 2 reclaimed, 3 not yet, 0 lost · O(locks)
 */
export const extendMutexes = defineScript('lock.extend', {
  keys: ['state', 'quarantine', 'locks...'],
  args: ['quarantine', 'least', 'owner', 'holds...'],
  reply: (raw: readonly number[]) => raw,
  lua: `${mutexLua}
incarnation(ARGV[1], ARGV[2])
local grace = quarantineLeft() > 0
local early = grace and unsettled()
local outcomes, first = {}, 3
for at = 4, #ARGV, 4 do
  local holder, token, ttlMs = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local last = first + ARGV[at] - 1
  local mine = holder .. '|' .. token
  local outcome, missing = 1, {}
  for lock = first, last do
    local value = call('GET', KEYS[lock])
    if not isOf(value, mine) then
      if grace and (not value or newer(token, tokenIn(value))) then
        if outcome == 1 then outcome = 2 end
        missing[lock] = true
      else
        outcome = 0
      end
    end
  end
  if outcome > 0 and early then
    outcome = 3
  elseif outcome > 0 then
    for lock = first, last do
      if missing[lock] then
        call('SET', KEYS[lock], mine .. '|' .. string.format('%.0f', now) .. '|' .. ARGV[3], 'PX', ttlMs)
      else
        call('PEXPIRE', KEYS[lock], ttlMs)
      end
    end
  end
  outcomes[#outcomes + 1] = outcome
  first = last + 1
end
return outcomes`,
});
