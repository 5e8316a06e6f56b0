import { defineScript } from '@roost/redis';
import type { CodeIssue, CodeTry } from './code.store.js';

/**
 * A code is a HASH: `h` hash, `n` attempts left. Its budget is another: `sent`, `bad`, `cool` (when another one may be
 * sent); it ends a window after its beginning, however many codes come and go.
 */
const prelude = `
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = call('HMGET', KEYS[2], 'sent', 'bad', 'cool')
local sent, bad, cool = tonumber(count[1] or 0), tonumber(count[2] or 0), tonumber(count[3] or 0)

local function spend(field, windowMs)
  call('HINCRBY', KEYS[2], field, 1)
  if call('PTTL', KEYS[2]) < 0 then call('PEXPIRE', KEYS[2], windowMs) end
end`;

/**
 * KEYS the code, its budget · ARGV hash, lifetime (ms), attempts, cool-down (ms), sends, guesses, window (ms) · returns 0
 * issued, 1 cooling down or 2 locked, and the ms to wait · O(1)
 */
export const issueCode = defineScript('session.code-issue', {
  keys: ['code', 'budget'],
  args: ['hash', 'ttlMs', 'attempts', 'cooldownMs', 'sends', 'guesses', 'windowMs'],
  reply: ([code, waitMs]: [number, number]): CodeIssue =>
    code === 0 ? { state: 'issued' } : { state: code === 1 ? 'cooldown' : 'locked', waitMs },
  lua: `${prelude}
if bad >= tonumber(ARGV[6]) or sent >= tonumber(ARGV[5]) then return { 2, math.max(call('PTTL', KEYS[2]), 1) } end
if cool > now then return { 1, cool - now } end
spend('sent', ARGV[7])
call('HSET', KEYS[2], 'cool', now + ARGV[4])
call('DEL', KEYS[1])
call('HSET', KEYS[1], 'h', ARGV[1], 'n', ARGV[3])
call('PEXPIRE', KEYS[1], ARGV[2])
return { 0, 0 }`,
});

/**
 * KEYS the code, its budget · ARGV hash, guesses, window (ms) · returns 0 none, 1 accepted, 2 wrong or 3 locked, and the ms
 * to wait · O(1)
 */
export const tryCode = defineScript('session.code-try', {
  keys: ['code', 'budget'],
  args: ['hash', 'guesses', 'windowMs'],
  reply: ([code, waitMs]: [number, number]): CodeTry =>
    code === 3 ? { state: 'locked', waitMs } : { state: (['none', 'accepted', 'wrong'] as const)[code]! },
  lua: `${prelude}
if bad >= tonumber(ARGV[2]) then return { 3, math.max(call('PTTL', KEYS[2]), 1) } end
local hash = call('HGET', KEYS[1], 'h')
if not hash then return { 0, 0 } end
local left = call('HINCRBY', KEYS[1], 'n', -1)
-- To the end of both, wherever they differ first: how long it takes tells nothing of how much was right.
local differences = #hash == #ARGV[1] and 0 or 1
for i = 1, #ARGV[1] do
  if string.byte(hash, i) ~= string.byte(ARGV[1], i) then differences = differences + 1 end
end
if differences == 0 or left <= 0 then call('DEL', KEYS[1]) end
if differences == 0 then return { 1, 0 } end
spend('bad', ARGV[3])
return { 2, 0 }`,
});
