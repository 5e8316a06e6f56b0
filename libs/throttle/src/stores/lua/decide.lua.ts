import { FOREIGN, type DecideVariant } from './clock.lua.js';
import { stateLua } from './state.lua.js';

/** What the general scripts take of each limit, in this order. */
const DECIDE_STRIDE = 9;

/**
 * Any limits, holds and block rules: first looks at each, then writes only if every one allows.
 * KEYS one per limit, then that of the violations of each limit with a block rule ·
 * ARGV the number of limits, then for each: algorithm, window (µs; ms for sliding-window; boundaries for calendar),
 * need, capacity (-1 when it never fits), name of the charge, when it expires (ms; 0 never, -1 not held), then the block
 * rule: after (0 for none), for, within (ms) ·
 * returns whether all fit (2: the boundaries are of another time), now (µs), then three numbers per limit · O(limits)
 */
export function decideLua(variant: DecideVariant, charging: boolean): string {
  return `
${stateLua(variant)}
local limits, reply = {}, { 1, now }
local count = ARGV[1] + 0
for i = 1, count do
  local a = (i - 1) * ${DECIDE_STRIDE} + 1
  local at = open(KEYS[i], ARGV[a + 1], ARGV[a + 2])
  if at.lost then return { 2, now } end
  at.need, at.capacity, at.arg = ARGV[a + 3] + 0, ARGV[a + 4] + 0, a
  at.fits = not at.blocked and level_of(at) + at.need * at.per <= at.capacity * at.per
  if not at.fits then reply[1] = 0 end
  limits[i] = at
end
${charging ? refuseLua(variant) : ''}
for _, at in ipairs(limits) do tell(reply, at, at.capacity, at.need) end
${charging ? CHARGE : ''}
return reply`;
}

const CHARGE = `
if reply[1] == 1 then
  for _, at in ipairs(limits) do
    if at.need > 0 then charge(at, at.need, ARGV[at.arg + 5], ARGV[at.arg + 6] + 0) end
  end
end`;

/** Counts refusals, as `count:until`: a test's clock cannot make a key expire. Every so many of them block. */
function refuseLua({ keepMs }: DecideVariant): string {
  return `
local next_key = count
for _, at in ipairs(limits) do
  local after = ARGV[at.arg + 7] + 0
  if after > 0 then
    next_key = next_key + 1
    if not at.fits and not at.blocked and (at.need > 0 or at.capacity < 0) then
      local stored, violations = redis.call('GET', KEYS[next_key]), 0
      if stored then
        local seen, till = string.match(stored, '^(%d+):(%d+)$')
        if not seen then ${FOREIGN} end
        if till - now > 0 then violations = seen + 0 end
      end
      violations = violations + 1
      local within = ARGV[at.arg + 9] + 0
      local value = string.format('%.0f:%.0f', violations, now + within * 1000)
      redis.call('SET', KEYS[next_key], value, 'PX', within + ${keepMs})
      if violations % after == 0 then block(at, ARGV[at.arg + 8] + 0) end
    end
  end
end`;
}
