/** A message that was delivered and not acknowledged. */
export interface PendingEntry {
  readonly id: string;
  readonly fields: readonly string[];
  /** How often it was handed to a handler, as far as Redis knows. */
  readonly deliveries: number;
}

/** Some of them, where to go on, and how many were deleted before anybody handled them. */
export interface PendingPage {
  readonly cursor: string;
  readonly entries: readonly PendingEntry[];
  readonly vanished: number;
}

/**
 * `describe(id, deliveries)` adds a pending message to `found`, with its fields and how often it was delivered. What was
 * deleted meanwhile nobody can handle any more: it is acknowledged, and counted in `vanished`.
 */
export const describePending = `
local found, vanished = {}, 0
local function describe(id, deliveries)
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    found[#found + 1] = { id, entry[2], deliveries }
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
    vanished = vanished + 1
  end
end`;

/** What a script replies that describes pending messages. */
export function pageOf([cursor, found, vanished]: [string, [string, string[], number][], number]): PendingPage {
  return { cursor, entries: found.map(([id, fields, deliveries]) => ({ id, fields, deliveries })), vanished };
}
