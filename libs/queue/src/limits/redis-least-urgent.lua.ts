/** What is used of a client of Redis: BullMQ's keys are not under the product's prefix. */
export interface ScriptClient {
  eval(lua: string, numberOfKeys: number, ...keys: string[]): Promise<unknown>;
}

/** The full names of two of BullMQ's keys of a queue, as `queue.toKey('wait')` gives them. */
export interface WaitingKeys {
  readonly wait: string;
  readonly prioritized: string;
}

/**
 * A job's score is its priority × 2^32 and a number that counts upwards, so the oldest of a priority has the lowest of its
 * scores. Nothing has to be moved when all that waits is equally urgent.
 * KEYS[1] jobs without a priority · KEYS[2] jobs with one · O(log jobs)
 */
const lua = `
local function priorityOf(place)
  local score = redis.call('ZRANGE', KEYS[2], place, place, 'WITHSCORES')[2]
  return score and math.floor(score / 4294967296)
end
local last = priorityOf(-1)
if not last or (redis.call('LLEN', KEYS[1]) == 0 and priorityOf(0) == last) then return false end
return redis.call('ZRANGEBYSCORE', KEYS[2], last * 4294967296, '+inf', 'LIMIT', 0, 1)[1]`;

/** The id of the job of BullMQ that waits longest among the least urgent; undefined when all are equally urgent. */
export async function redisLeastUrgent(client: ScriptClient, { wait, prioritized }: WaitingKeys) {
  return ((await client.eval(lua, 2, wait, prioritized)) ?? undefined) as string | undefined;
}
