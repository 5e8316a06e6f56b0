import type { Quota } from '../../algorithms/algorithm.js';
import type { TwoWindows } from '../../algorithms/sliding-window.js';
import { differenceOf } from '../differences.js';
import type { LimitRequest, Settlement } from '../rate-limit.store.js';
import { held, lapse, NONE, withHold, without, type Pending } from './pending.js';
import { changed, type Tally } from './tally.js';

interface Present extends TwoWindows {
  readonly pending: readonly Pending[];
}

const UNUSED: Present = { previous: 0, current: 0, index: 0, pending: NONE };

/** How much was used in two neighbouring windows, and what can be settled. */
export class SlidingWindowTally implements Tally {
  #state = UNUSED;
  expiresUs = 0;

  look(request: LimitRequest, nowUs: number): TwoWindows {
    return this.#at(request, nowUs);
  }

  charge(request: LimitRequest, nowUs: number): void {
    const at = this.#at(request, nowUs);
    const { cost, hold } = request;
    const pending = hold ? withHold(at.pending, hold, cost, at.index, nowUs) : at.pending;
    this.#set(request, { ...at, current: at.current + cost, pending });
  }

  settle(settlement: Settlement, nowUs: number): boolean {
    const at = this.#at(settlement, nowUs);
    const charge = held(at.pending, settlement);
    if (charge === undefined) return false;
    const { refund, extra } = differenceOf(settlement, 1);
    const back = Math.min(refund, charge.amount);
    const isCurrent = charge.mark === at.index;
    this.#set(settlement, {
      previous: at.previous - (isCurrent ? 0 : back),
      current: changed(at.current - (isCurrent ? back : 0), extra, settlement.limit),
      index: at.index,
      pending: without(at.pending, charge),
    });
    return true;
  }

  adjust(request: LimitRequest, nowUs: number): void {
    const at = this.#at(request, nowUs);
    const { cost, limit, windowUs } = request;
    const current = changed(at.current, cost, limit);
    let { previous } = at;
    if (cost < 0) {
      const windowMs = windowUs / 1_000;
      const elapsedMs = Math.max(Math.floor(nowUs / 1_000) - at.index * windowMs, 0);
      const rest = -cost - (at.current - current);
      // Of a request long ago less than one counts.
      previous = Math.max(previous - Math.floor((rest * windowMs) / (windowMs - elapsedMs)), 0);
    }
    this.#set(request, { ...at, previous, current });
  }

  #at({ windowUs }: Quota, nowUs: number): Present {
    const index = Math.floor(nowUs / windowUs);
    const state = presentOf(this.#state, index);
    if (state.index < index - 1) return { previous: 0, current: 0, index, pending: NONE };
    const at = state.index >= index ? state : { ...state, previous: state.current, current: 0, index };
    if (at.pending === NONE) return at;
    const now = lapse(at.pending, at.current, nowUs, at.index);
    const before = lapse(now.pending, at.previous, nowUs, at.index - 1);
    const pending = before.pending.filter(({ mark }) => mark >= at.index - 1);
    return { previous: before.used, current: now.used, index: at.index, pending };
  }

  #set({ windowUs }: Quota, state: Present): void {
    const { previous, current, index, pending } = state;
    const isEmpty = previous === 0 && current === 0 && pending.length === 0;
    this.#state = isEmpty ? UNUSED : { previous, current, index, pending: pending.length === 0 ? NONE : pending };
    this.expiresUs = isEmpty ? 0 : (index + 2) * windowUs;
  }
}

/**
 * What lies far ahead was counted in shorter windows, before the limit was changed. It would never be over, so it counts
 * as now.
 */
function presentOf(state: Present, index: number): Present {
  const ahead = state.index - index;
  if (ahead <= 1) return state;
  return { ...state, index, pending: state.pending.map((each) => ({ ...each, mark: Math.max(each.mark - ahead, 0) })) };
}
