import type { Ask } from './sql-queue.connection.js';

const WAITING = "state = 'waiting' AND priority = 0";

/** Where BullMQ's own order is not that of Redis: lists that are read from their old end, and priorities backwards. */
const LISTS: Readonly<Record<string, string>> = {
  wait: WAITING,
  waiting: WAITING,
  active: "state = 'active'",
};

/** Ids of jobs in a state, as Redis gives them; undefined where BullMQ's own answer is that. */
export async function rangeLikeRedis(
  ask: Ask,
  queue: string,
  [type, start, end, asc]: readonly [type: string, start: number, end: number, asc: boolean],
): Promise<string[] | undefined> {
  const list = LISTS[type];
  if (start < 0 || (list === undefined ? type !== 'prioritized' || asc : !asc)) return undefined;
  const where = list ?? "state = 'waiting' AND priority > 0";
  const order = list === undefined ? 'priority DESC, seq DESC' : 'seq';
  const count = end < 0 ? null : Math.max(end - start + 1, 0);
  const text = `SELECT id FROM bullmq.job WHERE queue = $1 AND ${where} ORDER BY ${order} OFFSET $2 LIMIT $3`;
  const { rows } = await ask<{ id: string }>(text, [queue, start, count]);
  const ids = rows.map(({ id }) => id);
  return list === undefined ? ids : ids.reverse(); // BullMQ turns lists round again
}
