import type { ExtendOutcome, LockHold } from './lock.store.js';

/** So many holds are extended by one script: more would make others wait for it. */
const HOLDS_A_CALL = 100;
/** By the number that scripts answer with. */
const OUTCOMES: readonly ExtendOutcome[] = ['lost', 'extended', 'reclaimed', 'unsettled'];

/** Extends holds by as many calls as it takes, all under way at once. */
export async function extendInBatches(
  holds: readonly LockHold[],
  extend: (batch: readonly LockHold[]) => Promise<readonly number[]>,
): Promise<readonly ExtendOutcome[]> {
  const replies: Promise<readonly number[]>[] = [];
  for (let from = 0; from < holds.length; from += HOLDS_A_CALL) {
    replies.push(extend(holds.slice(from, from + HOLDS_A_CALL)));
  }
  return (await Promise.all(replies)).flat().map((each) => OUTCOMES[each]!);
}
