import { defineScript } from '@roost/redis';

/**
 * A session is a HASH: `h` handle, `u` user, `l` label, `v` version, `i` idle (ms), `at` began, `seen`, `abs` ends at the
 * latest, `old` it is retired; what is stored has a dot before its name. Of a session that moved, `to` alone is left.
 */
const prelude = `
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Whether it may be written: it is there, under its present id, and was not signed in under another one.
local function live(key)
  local got = redis.pcall('HMGET', key, 'abs', 'to', 'old')
  return not got.err and got[1] and not got[2] and not got[3] and tonumber(got[1]) or nil
end

-- Lets it live on within its absolute end; returns the ms it has.
local function extend(key, idleMs, abs)
  local left = math.min(tonumber(idleMs), abs - now)
  if left <= 0 then
    call('UNLINK', key)
    return 0
  end
  call('PEXPIRE', key, left)
  return left
end

-- By when it began, in µs: in a string, as numbers of that size are written in short.
local function enlist(index, id, place, ms)
  local score = type(place) == 'number' and string.format('%.0f', place) or place
  local added = redis.pcall('ZADD', index, score, id)
  if type(added) == 'table' then
    -- Somebody else wrote there: nobody may be kept from signing in by it.
    call('UNLINK', index)
    call('ZADD', index, score, id)
  end
  if call('PTTL', index) < tonumber(ms) then call('PEXPIRE', index, ms) end
end`;

/** KEYS the session · returns now (ms), ms left, fields and values; -1 when it is none · O(fields) */
export const readSession = defineScript('session.read', {
  keys: ['session'],
  args: [],
  readOnly: true,
  reply: (raw: [number, number, string[]] | [-1]) => raw,
  lua: `
local fields = redis.pcall('HGETALL', KEYS[1])
if fields.err then return { -1 } end
local clock = redis.call('TIME')
return { clock[1] * 1000 + math.floor(clock[2] / 1000), redis.call('PTTL', KEYS[1]), fields }`,
});

/**
 * KEYS the session, that it was ended, its user's list if any · ARGV digest of the id, idle and absolute lifetime (ms),
 * fields and values · returns the length of the list, -1 when the id is taken, -2 when it was ended · O(fields)
 */
export const createSession = defineScript('session.create', {
  keys: ['session', 'ended', 'index...'],
  args: ['id', 'idleMs', 'absoluteMs', 'fields...'],
  reply: Number,
  lua: `${prelude}
if call('EXISTS', KEYS[1]) == 1 then return -1 end
if call('EXISTS', KEYS[2]) == 1 then return -2 end
local abs = now + ARGV[3]
call('HSET', KEYS[1], 'at', now, 'seen', now, 'abs', abs, 'i', ARGV[2], 'v', 1, unpack(ARGV, 4))
extend(KEYS[1], ARGV[2], abs)
if not KEYS[3] then return 0 end
enlist(KEYS[3], ARGV[1], clock[1] * 1000000 + clock[2], ARGV[3])
return call('ZCARD', KEYS[3])`,
});

/**
 * KEYS the session, the lists of the user before and after · ARGV digest of the id, idle (ms), whether the user is another
 * one, the user or nothing, how many bytes it may hold or 0, bytes beside each text, how many names are removed, those,
 * fields and values · returns the new version, 0 when there is no such session, minus the bytes when they are too many ·
 * O(fields)
 */
export const saveSession = defineScript('session.save', {
  keys: ['session', 'from', 'to'],
  args: ['id', 'idleMs', 'moves', 'user', 'maxBytes', 'fieldBytes', 'removals', 'fields...'],
  reply: Number,
  lua: `${prelude}
local abs = live(KEYS[1])
if not abs then return 0 end
local maxBytes, first = tonumber(ARGV[5]), 8 + tonumber(ARGV[7])
if maxBytes > 0 and first <= #ARGV then
  -- With what others have written since it was read; names have a dot that does not count.
  local holds, bytes = {}, 0
  local all = call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do holds[all[i]] = string.sub(all[i], 1, 1) == '.' and all[i + 1] or nil end
  for i = 8, first - 1 do holds[ARGV[i]] = nil end
  for i = first, #ARGV, 2 do holds[ARGV[i]] = ARGV[i + 1] end
  for name, json in pairs(holds) do bytes = bytes + #name - 1 + #json + ARGV[6] end
  if bytes > maxBytes then return -bytes end
end
if first > 8 then call('HDEL', KEYS[1], unpack(ARGV, 8, first - 1)) end
if ARGV[3] == '1' then
  redis.pcall('ZREM', KEYS[2], ARGV[1])
  call('HDEL', KEYS[1], 'u')
  if ARGV[4] ~= '' then
    call('HSET', KEYS[1], 'u', ARGV[4])
    enlist(KEYS[3], ARGV[1], clock[1] * 1000000 + clock[2], abs - now)
  end
end
call('HSET', KEYS[1], 'seen', now, 'i', ARGV[2], unpack(ARGV, first))
local version = call('HINCRBY', KEYS[1], 'v', 1)
return extend(KEYS[1], ARGV[2], abs) > 0 and version or 0`,
});

/** KEYS the session · ARGV idle (ms) · returns the ms it has now, 0 when there is no such session · O(1) */
export const touchSession = defineScript('session.touch', {
  keys: ['session'],
  args: ['idleMs'],
  reply: Number,
  lua: `${prelude}
local abs = live(KEYS[1])
if not abs then return 0 end
call('HSET', KEYS[1], 'seen', now, 'i', ARGV[1])
return extend(KEYS[1], ARGV[1], abs)`,
});

/**
 * KEYS the session, where it moves, that it was ended, the lists of the user before and after · ARGV digests of both ids,
 * the user or nothing, idle and absolute lifetime, grace, how long an end is remembered (ms), channel, message · returns
 * 1, or 0 when there is no such session · O(fields)
 */
export const rotateSession = defineScript('session.rotate', {
  keys: ['session', 'next', 'ended', 'from', 'to'],
  args: ['id', 'nextId', 'user', 'idleMs', 'absoluteMs', 'graceMs', 'endedMs', 'channel', 'message'],
  reply: (code: number) => code === 1,
  lua: `${prelude}
local abs = live(KEYS[1])
if not abs then return 0 end
local before, user = call('HGET', KEYS[1], 'u') or '', ARGV[3]
local at, place = call('HGET', KEYS[1], 'at'), redis.pcall('ZSCORE', KEYS[4], ARGV[1])
if type(place) == 'table' then place = nil end
if before ~= user then
  at, place, abs = now, clock[1] * 1000000 + clock[2], now + ARGV[5]
end
if before == '' and user ~= '' then
  call('COPY', KEYS[1], KEYS[2])
  call('HSET', KEYS[1], 'old', 1)
  call('PEXPIRE', KEYS[1], math.min(call('PTTL', KEYS[1]), ARGV[6]))
else
  call('RENAME', KEYS[1], KEYS[2])
  if before == user then
    call('HSET', KEYS[1], 'to', ARGV[2])
    call('PEXPIRE', KEYS[1], ARGV[6])
  else
    call('SET', KEYS[3], 1, 'PX', ARGV[7])
  end
end
call('HSET', KEYS[2], 'at', at, 'abs', abs, 'seen', now)
call('HINCRBY', KEYS[2], 'v', 1)
extend(KEYS[2], ARGV[4], abs)
if before ~= '' then redis.pcall('ZREM', KEYS[4], ARGV[1]) end
if user == '' then
  call('HDEL', KEYS[2], 'u')
else
  call('HSET', KEYS[2], 'u', user)
  enlist(KEYS[5], ARGV[2], place or at * 1000, ARGV[5])
end
redis.pcall('PUBLISH', ARGV[8], ARGV[9])
return 1`,
});

/** KEYS the session · ARGV grace (ms) · returns 1, or 0 when there is no such session · O(1) */
export const retireSession = defineScript('session.retire', {
  keys: ['session'],
  args: ['graceMs'],
  reply: (code: number) => code === 1,
  lua: `${prelude}
if not live(KEYS[1]) then return 0 end
call('HSET', KEYS[1], 'old', 1)
return call('PEXPIRE', KEYS[1], math.min(call('PTTL', KEYS[1]), ARGV[1]))`,
});

/**
 * KEYS the session, that it was ended, its user's list if any · ARGV digest of the id, how long the end is remembered (ms),
 * channel, message · returns 1 ended, 0 there is none, 2 it has another id now · O(1)
 */
export const endSession = defineScript('session.end', {
  keys: ['session', 'ended', 'index...'],
  args: ['id', 'endedMs', 'channel', 'message'],
  reply: (code: number) => (['none', 'ended', 'moved'] as const)[code]!,
  lua: `
local call = redis.call
local got = redis.pcall('HMGET', KEYS[1], 'h', 'to', 'old')
if got[2] then return 2 end
if KEYS[3] then redis.pcall('ZREM', KEYS[3], ARGV[1]) end
if not got[1] and not got.err then return 0 end
call('UNLINK', KEYS[1])
call('SET', KEYS[2], 1, 'PX', ARGV[2])
-- Not of a retired one: its handle is that of the session that was signed in. A user who may not publish can still end.
if not got[3] then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return 1`,
});
