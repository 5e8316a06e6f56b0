import { defineScript } from '@roost/redis';
import type { StoreOutcome } from './once.records.js';

/**
 * Stores a result if the lock it was made under is still held by the same token; the mutex' value is
 * `<holder>|<epoch>:<seq>|…`. What is stored already under a lock that is gone was stored by an earlier try, or by a
 * later holder.
 * KEYS the mutex, the record · ARGV `epoch:seq`, the record, keep (ms) · returns 1 stored, 0 nobody holds it, -1 another · O(1)
 */
export const storeResult = defineScript('lock.store-result', {
  keys: ['mutex', 'record'],
  args: ['token', 'value', 'keepMs'],
  reply: (code: number): StoreOutcome => (code === 1 ? 'stored' : code === 0 ? 'absent' : 'foreign'),
  lua: `
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^[^|]*|([^|]*)') == ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  return 1
end
local known = redis.call('GET', KEYS[2])
if known == ARGV[2] then return 1 end
return (held or known) and -1 or 0`,
});
