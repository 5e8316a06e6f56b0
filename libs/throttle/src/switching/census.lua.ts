import { defineScript } from '@roost/redis';

/**
 * Registers a process by Redis' clock, forgets those that were silent for too long, and counts the rest.
 * KEYS the register · ARGV id, silence (ms), expiry (ms) · returns how many there are · O(log(processes))
 */
export const takeCensus = defineScript('rate.census', {
  keys: ['replicas'],
  args: ['id', 'silentMs', 'ttlMs'],
  reply: Number,
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('ZCARD', KEYS[1])`,
});
