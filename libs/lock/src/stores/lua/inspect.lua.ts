import { defineScript } from '@roost/redis';
import { mutexLua } from './mutex.fragment.js';

/** `holder|token|since|owner` or nothing; what is left of its time in ms; how many wait. */
export type MutexReply = readonly [value: string, ttlMs: number, waiting: number];

/** KEYS state, quarantine, lock, queue, alive · O(waiters) */
export const inspectMutex = defineScript('lock.inspect', {
  keys: ['state', 'quarantine', 'lock', 'queue', 'alive'],
  args: [],
  reply: (raw: MutexReply) => raw,
  readOnly: true,
  lua: `${mutexLua}
return { call('GET', KEYS[3]) or '', call('PTTL', KEYS[3]), call('ZCOUNT', KEYS[5], '(' .. now, '+inf') }`,
});

/** Takes it from its holder. KEYS state, quarantine, lock, queue, alive · returns what {@link inspectMutex} would have */
export const forceMutex = defineScript('lock.force', {
  keys: ['state', 'quarantine', 'lock', 'queue', 'alive'],
  args: ['turns'],
  reply: (raw: MutexReply) => raw,
  lua: `${mutexLua}
local value, ttlMs = call('GET', KEYS[3]), call('PTTL', KEYS[3])
if not value or isOf(value, '') then return { '', 0, 0 } end
drop(KEYS[3], tokenIn(value))
wake(ARGV[1], KEYS[4], KEYS[5])
return { value, ttlMs, call('ZCOUNT', KEYS[5], '(' .. now, '+inf') }`,
});
