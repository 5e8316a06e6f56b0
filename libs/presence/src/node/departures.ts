import type { Change, DeadNode, PresenceStore, Topic } from '../stores/presence.store.js';
import { inBatches } from './in-batches.js';

/** After how long others may finish what a process that says goodbye has begun. */
const CLAIMABLE_MS = 500;

/** Takes away what a dead node has left. `follow` looks after the graces that run now. */
export async function sweep(
  { node, seenAtMs }: DeadNode,
  store: PresenceStore,
  goneAfterMs: number,
  follow: (topic: Topic, change: Change) => Promise<void>,
): Promise<{ readonly topics: number; readonly gone: number }> {
  const topics = await store.ownedBy(node);
  let gone = 0;
  await inBatches(topics, async (topic) => {
    const left = await store.leaveNode(topic, node, seenAtMs, goneAfterMs);
    const change = left.graceMs === 0 ? await store.expire(topic) : left; // graces that the dead one looked after
    gone += left.told;
    await follow(topic, change);
  });
  await store.bury(node);
  return { topics: topics.length, gone };
}

/** A node that is about to end. */
export interface LeavingNode {
  readonly node: string;
  readonly topics: readonly Topic[];
  /** There may be others that the store does not know, or not any more. */
  readonly maybeOthers: boolean;
}

/** Takes away a node by itself. With others there, its users have their grace, which one of those then looks after. */
export async function bidFarewell(
  { node, topics, maybeOthers }: LeavingNode,
  store: PresenceStore,
  goneAfterMs: number,
): Promise<void> {
  const others = (await store.resign(node, CLAIMABLE_MS)) || maybeOthers;
  const seenAtMs = await store.now();
  await inBatches(topics, async (topic) => {
    await store.leaveNode(topic, node, seenAtMs, others ? goneAfterMs : 0);
    if (!others) await store.expire(topic, true);
  });
  if (!others) await store.bury(node);
}
