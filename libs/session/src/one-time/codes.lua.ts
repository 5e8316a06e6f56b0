import { defineScript } from '@roost/redis';
import type { CodeIssue, CodeTry } from './code.store.js';

/**
 * A code is a HASH: `h` hash, `n` attempts left. Its budget is another, which codes that come and go leave alone: `sent` and
 * `bad` say when codes were sent and guesses were wrong within the window, `cool` when another one may be sent.
 */
const prelude = `
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = call('HMGET', KEYS[2], 'sent', 'bad', 'cool')
local cool = tonumber(count[3] or 0)

-- A sliding log: what happened within the window, the oldest first.
local function within(times, windowMs)
  local left = {}
  for ms in string.gmatch(times or '', '%d+') do
    if now - ms < tonumber(windowMs) then left[#left + 1] = ms end
  end
  return left
end

-- How long until there are fewer again.
local function wait(times, most, windowMs)
  return times[#times - most + 1] + windowMs - now
end

local function spend(field, times, windowMs)
  times[#times + 1] = string.format('%.0f', now)
  call('HSET', KEYS[2], field, table.concat(times, ','))
  call('PEXPIRE', KEYS[2], math.max(windowMs, cool - now))
end`;

/**
 * KEYS the code, its budget · ARGV hash, lifetime (ms), attempts, cool-down (ms), sends, guesses, window (ms) · returns 0
 * issued, 1 cooling down or 2 locked, and the ms to wait · O(sends + guesses)
 */
export const issueCode = defineScript('session.code-issue', {
  keys: ['code', 'budget'],
  args: ['hash', 'ttlMs', 'attempts', 'cooldownMs', 'sends', 'guesses', 'windowMs'],
  reply: ([code, waitMs]: [number, number]): CodeIssue =>
    code === 0 ? { state: 'issued' } : { state: code === 1 ? 'cooldown' : 'locked', waitMs },
  lua: `${prelude}
local sends, guesses, windowMs = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local sent, bad = within(count[1], windowMs), within(count[2], windowMs)
if #bad >= guesses then return { 2, wait(bad, guesses, windowMs) } end
if #sent >= sends then return { 2, wait(sent, sends, windowMs) } end
if cool > now then return { 1, cool - now } end
cool = now + ARGV[4]
call('HSET', KEYS[2], 'cool', string.format('%.0f', cool))
spend('sent', sent, windowMs)
call('DEL', KEYS[1])
call('HSET', KEYS[1], 'h', ARGV[1], 'n', ARGV[3])
call('PEXPIRE', KEYS[1], ARGV[2])
return { 0, 0 }`,
});

/**
 * KEYS the code, its budget · ARGV hash, guesses, window (ms) · returns 0 none, 1 accepted, 2 wrong or 3 locked, and the ms
 * to wait · O(guesses)
 */
export const tryCode = defineScript('session.code-try', {
  keys: ['code', 'budget'],
  args: ['hash', 'guesses', 'windowMs'],
  reply: ([code, waitMs]: [number, number]): CodeTry =>
    code === 3 ? { state: 'locked', waitMs } : { state: (['none', 'accepted', 'wrong'] as const)[code]! },
  lua: `${prelude}
local guesses, windowMs = tonumber(ARGV[2]), tonumber(ARGV[3])
local bad = within(count[2], windowMs)
if #bad >= guesses then return { 3, wait(bad, guesses, windowMs) } end
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
spend('bad', bad, windowMs)
return { 2, 0 }`,
});
