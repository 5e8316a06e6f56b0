import { defineScript } from '@roost/redis';
import { blockLua, unblockLua, violationsLua } from './lua/blocks.lua.js';
import { decideLua } from './lua/decide.lua.js';
import { adjustLua, renewLua, settleLua } from './lua/settle.lua.js';
import { FOREIGN, nowLua, PRODUCTION, type DecideVariant } from './lua/clock.lua.js';

export type { DecideVariant } from './lua/clock.lua.js';

/**
 * The scripts say what only they know, how much of each limit was used before the request, and whether all of it fitted
 * and was charged; the client computes the rest of the answer from that. A value that is not ours is an error and stays.
 */
export function decideScripts(variant: DecideVariant = PRODUCTION) {
  const one = { keys: ['limit'], args: ['request...'], reply: (raw: number | null) => raw } as const;
  const any = { keys: ['limits...'], args: ['requests...'] } as const;
  const many = { ...any, reply: (raw: readonly number[]) => raw } as const;
  const count = { ...any, reply: (raw: number) => raw } as const;
  return {
    one: {
      consume: defineScript('rate.consume', { ...one, lua: plainLua(variant, true) }),
      peek: defineScript('rate.peek', { ...one, lua: plainLua(variant, false), readOnly: true }),
    },
    any: {
      consume: defineScript('rate.decide', { ...many, lua: decideLua(variant, true) }),
      peek: defineScript('rate.look', { ...many, lua: decideLua(variant, false), readOnly: true }),
    },
    settle: defineScript('rate.settle', { ...many, lua: settleLua(variant) }),
    renew: defineScript('rate.renew', { ...count, lua: renewLua(variant) }),
    adjust: defineScript('rate.adjust', { ...many, lua: adjustLua(variant) }),
    block: defineScript('rate.block', { ...count, lua: blockLua(variant) }),
    unblock: defineScript('rate.unblock', { ...count, lua: unblockLua(variant) }),
    violations: defineScript('rate.violations', { ...many, lua: violationsLua(variant), readOnly: true }),
  };
}

export type DecideScripts = ReturnType<typeof decideScripts>;

/**
 * One plain gcra limit, which is what most requests have. `+ 0` makes a number of an argument, faster than a call does.
 * KEYS the limit · ARGV need, capacity (µs) · returns the µs used, -1 minus them when the request does not fit, or nil
 * when the limit holds more than a TAT, which is for the general script · O(1)
 */
function plainLua(variant: DecideVariant, charging: boolean): string {
  const set = `redis.call('SET', KEYS[1], now + used + need, 'PX', math.ceil((used + need) / 1000) + ${variant.keepMs})`;
  return `${nowLua(variant)}
local need, capacity = ARGV[1] + 0, ARGV[2] + 0
local stored = redis.call('GET', KEYS[1])
local used = 0
if stored then
  if not string.find(stored, '^%d+$') then
    if string.find(stored, '^[!%d]') then return false end
    ${FOREIGN}
  end
  if stored - now > 0 then used = stored - now end
end
if used + need > capacity then return -1 - used end
${charging ? `if need > 0 then ${set} end` : ''}
return used`;
}
