import { defineScript } from '@roost/redis';
import { sharedLua } from './shared.fragment.js';

/** How many wait; then of each holder its name, `weight|token|since|owner`, and what is left of its time in ms. */
export type SharedReport = readonly [waiting: number, ...holders: (string | number)[]];

const reportLua = `
local function report()
  local found = { call('ZCOUNT', KEYS[6], '(' .. whole(now), '+inf') }
  local ends = call('ZRANGE', KEYS[4], '(' .. whole(now), '+inf', 'BYSCORE', 'WITHSCORES')
  for at = 1, #ends, 2 do
    local value = valueOf(KEYS[3], ends[at])
    if value then
      found[#found + 1] = ends[at]
      found[#found + 1] = value
      found[#found + 1] = ends[at + 1] - now
    end
  end
  return found
end`;

/** KEYS of one lock · O(holders + waiters) */
export const inspectShared = defineScript('lock.shared.inspect', {
  keys: ['state', 'quarantine', 'holders', 'ends', 'queue', 'alive'],
  args: [],
  reply: (raw: SharedReport) => raw,
  readOnly: true,
  lua: `${sharedLua}
${reportLua}
return report()`,
});

/** Takes it from all holders. KEYS of one lock · returns what {@link inspectShared} would have · O(holders + waiters) */
export const forceShared = defineScript('lock.shared.force', {
  keys: ['state', 'quarantine', 'holders', 'ends', 'queue', 'alive'],
  args: ['turns'],
  reply: (raw: SharedReport) => raw,
  lua: `${sharedLua}
${reportLua}
local found = report()
for at = 2, #found, 3 do drop(KEYS[3], KEYS[4], found[at], tokenIn(found[at + 1])) end
if #found > 1 then wake(ARGV[1], KEYS[5], KEYS[6]) end
return found`,
});
