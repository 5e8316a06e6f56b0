import { defineScript } from '@roost/redis';

/**
 * Tells those whom the server does not tell of changes. Until it is known which they are it may be refused.
 * ARGV[1] the channel, empty when the server does · ARGV[2] the name
 */
const ANNOUNCE = `if ARGV[1] ~= '' then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end`;

/** The server's clock in µs, greater than \`old\`. */
const NOW_AFTER = `
  local function nowAfter(old)
    local t = redis.call('TIME')
    local now = t[1] * 1000000 + t[2]
    if now <= old then now = old + 1 end
    return string.format('%.0f', now)
  end`;

const heard = ['channel', 'name'] as const;

/**
 * Gives leave to load a value.
 * A lease is "stamp:token"; one with a lower stamp belongs to a load that nobody can use any more.
 * Returns what is there when it is not what was seen, the lease, what is left of another's (ms), the time (µs) · O(1)
 */
export const beginLoad = defineScript('cache.begin', {
  keys: ['entry', 'lease'],
  args: ['seen', 'stamp', 'token', 'leaseMs'],
  bytes: true,
  reply: ([bytes, leased, left, now]: [Buffer | null, number, number, Buffer]) => ({
    bytes,
    leased: leased === 1,
    leaseLeftMs: Math.max(left, 0),
    nowUs: Number(now.toString('latin1')),
  }),
  lua: `
    local t = redis.call('TIME')
    local now = string.format('%.0f', t[1] * 1000000 + t[2])
    local there = redis.pcall('GET', KEYS[1])
    if type(there) == 'string' and there ~= '' and string.sub(there, 1, 16) ~= ARGV[1] then
      return { there, 0, 0, now }
    end
    local mine = ARGV[2] .. ':' .. ARGV[3]
    if redis.call('SET', KEYS[2], mine, 'NX', 'PX', ARGV[4]) then return { false, 1, 0, now } end
    local held = redis.pcall('GET', KEYS[2])
    local stamp = type(held) == 'string' and string.match(held, '^(%d+):')
    local left = redis.call('PTTL', KEYS[2])
    -- Of a stranger, or without an end: nobody would ever give it back.
    if left < 0 or tonumber(stamp or 0) < tonumber(ARGV[2]) then
      redis.call('SET', KEYS[2], mine, 'PX', ARGV[4])
      return { false, 1, 0, now }
    end
    return { false, 0, left, now }`,
});

/** Stores a value, and ends its load: what that has read is older, however soon this value may end · O(1) */
export const putEntry = defineScript('cache.put', {
  keys: ['entry', 'lease'],
  args: [...heard, 'bytes', 'lifeMs'],
  reply: () => undefined,
  lua: `
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
    redis.call('UNLINK', KEYS[2])
    ${ANNOUNCE}`,
});

/** Whether the lease is this load's: \`mine()\`. ARGV[3] the token */
const MINE = `
  local function mine(lease)
    local held = redis.call('GET', lease)
    return held and string.match(held, ':(.*)$') == ARGV[3]
  end`;

/**
 * Stores what was loaded: only under the lease, and only in the place of what was seen when the load began.
 * Returns 1 when it was stored, 0 when it was fenced off · O(1)
 */
export const commitLoad = defineScript('cache.commit', {
  keys: ['entry', 'lease'],
  args: [...heard, 'token', 'seen', 'bytes', 'lifeMs'],
  reply: (stored: number) => stored === 1,
  lua: `
    ${MINE}
    if not mine(KEYS[2]) then return 0 end
    redis.call('DEL', KEYS[2])
    local there = redis.pcall('GETRANGE', KEYS[1], 0, 15)
    if type(there) == 'string' and there ~= ARGV[4] then return 0 end
    redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
    ${ANNOUNCE}
    return 1`,
});

/** Returns 1 when the lease still was this load's · O(1) */
export const renewLease = defineScript('cache.renew', {
  keys: ['lease'],
  args: [...heard, 'token', 'leaseMs'],
  reply: (renewed: number) => renewed === 1,
  lua: `
    ${MINE}
    if not mine(KEYS[1]) then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[4])`,
});

/** Gives up the lease. Where there is no value, an empty one that ends at once tells those who wait for it · O(1) */
export const abortLoad = defineScript('cache.abort', {
  keys: ['entry', 'lease'],
  args: [...heard, 'token'],
  reply: () => undefined,
  lua: `
    ${MINE}
    if not mine(KEYS[2]) then return 0 end
    redis.call('DEL', KEYS[2])
    if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], '', 'PX', 1) end
    ${ANNOUNCE}
    return 1`,
});

/**
 * Removes a value and ends its load. A load without a value would not be told of: an empty value that ends at once does.
 * Returns 1 when there was a value · O(1)
 */
export const removeEntry = defineScript('cache.remove', {
  keys: ['entry', 'lease'],
  args: heard,
  reply: (removed: number) => removed === 1,
  lua: `
    local loading = redis.call('UNLINK', KEYS[2])
    local there = redis.call('UNLINK', KEYS[1])
    if there == 0 and loading == 1 then redis.pcall('SET', KEYS[1], '', 'PX', 1) end
    ${ANNOUNCE}
    return there`,
});

/**
 * Rewrites until when one version of a value is fresh and kept, and ends its load: else that would store what it has read
 * before as fresh. Returns 1 when that version was there · O(1)
 */
export const expireEntry = defineScript('cache.expire', {
  keys: ['entry', 'lease'],
  args: [...heard, 'version', 'offset', 'ends'],
  reply: (expired: number) => expired === 1,
  lua: `
    local loading = redis.call('UNLINK', KEYS[2])
    local there = redis.pcall('GETRANGE', KEYS[1], 0, 15)
    local expired = there ~= '' and there == ARGV[3]
    if expired then redis.call('SETRANGE', KEYS[1], ARGV[4], ARGV[5])
    elseif there == '' and loading == 1 then redis.pcall('SET', KEYS[1], '', 'PX', 1) end
    ${ANNOUNCE}
    return expired and 1 or 0`,
});

/**
 * The version of a tag, which is made where it is missing: evicted or never used, it begins with a version that no stored
 * value has. Returns the version (µs) and how long it lives (ms) · O(1)
 */
export const ensureTag = defineScript('cache.tag', {
  keys: ['tag'],
  args: [...heard, 'lifeMs'],
  reply: ([version, leftMs]: [string, number]) => ({ version: Number(version), leftMs }),
  lua: `
    ${NOW_AFTER}
    local version = redis.pcall('GET', KEYS[1])
    if type(version) == 'string' and tonumber(version) then
      local left = redis.call('PTTL', KEYS[1])
      if left >= tonumber(ARGV[3]) / 2 then return { version, left } end
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
    else
      version = nowAfter(0)
      redis.call('SET', KEYS[1], version, 'PX', ARGV[3])
    end
    ${ANNOUNCE}
    return { version, tonumber(ARGV[3]) }`,
});

/**
 * Invalidates a tag: its version is the time, and greater than before whatever the clock says. A full Redis takes no new
 * version: it is removed then, which makes stale all the same. Returns the version (µs) · O(1)
 */
export const bumpTag = defineScript('cache.bump', {
  keys: ['tag'],
  args: [...heard, 'lifeMs'],
  reply: (version: string) => Number(version),
  lua: `
    ${NOW_AFTER}
    local old = redis.pcall('GET', KEYS[1])
    local version = nowAfter(type(old) == 'string' and tonumber(old) or 0)
    local lifeMs = math.max(ARGV[3], redis.call('PTTL', KEYS[1]))
    if redis.pcall('SET', KEYS[1], version, 'PX', lifeMs).err then redis.call('UNLINK', KEYS[1]) end
    ${ANNOUNCE}
    return version`,
});
