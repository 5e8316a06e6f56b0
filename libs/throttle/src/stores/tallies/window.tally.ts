import type { Quota } from '../../algorithms/algorithm.js';
import type { WindowUse } from '../../algorithms/windows.js';
import { differenceOf } from '../differences.js';
import type { LimitRequest, Settlement } from '../rate-limit.store.js';
import { held, lapse, NONE, withHold, without, type Pending } from './pending.js';
import { changed, type Tally } from './tally.js';

/** Which window a moment is in, and when that ends. */
export type WindowAt = (quota: Quota, nowUs: number) => { readonly index: number; readonly endsUs: number };

/** How much was used in which window, and what can be settled: fixed-window and calendar. */
export class WindowTally implements Tally {
  readonly #windowAt: WindowAt;
  #index = 0;
  #used = 0;
  #pending = NONE;
  expiresUs = 0;

  constructor(windowAt: WindowAt) {
    this.#windowAt = windowAt;
  }

  look(request: LimitRequest, nowUs: number): WindowUse {
    const { used, endsUs } = this.#at(request, nowUs);
    return { used, endsInUs: endsUs - nowUs };
  }

  charge(request: LimitRequest, nowUs: number): void {
    const { used, pending, index, endsUs } = this.#at(request, nowUs);
    const { cost, hold } = request;
    this.#set(used + cost, hold ? withHold(pending, hold, cost, 0, nowUs) : pending, index, endsUs);
  }

  settle(settlement: Settlement, nowUs: number): boolean {
    const { used, pending, index, endsUs } = this.#at(settlement, nowUs);
    const charge = held(pending, settlement);
    if (charge === undefined) return false;
    const { refund, extra } = differenceOf(settlement, 1);
    const left = used - Math.min(refund, charge.amount);
    this.#set(changed(left, extra, settlement.limit), without(pending, charge), index, endsUs);
    return true;
  }

  adjust(request: LimitRequest, nowUs: number): void {
    const { used, pending, index, endsUs } = this.#at(request, nowUs);
    this.#set(changed(used, request.cost, request.limit), pending, index, endsUs);
  }

  #at(quota: Quota, nowUs: number) {
    const { index, endsUs } = this.#windowAt(quota, nowUs);
    if (this.#index < index) return { used: 0, pending: NONE, index, endsUs };
    if (this.#pending === NONE) return { used: this.#used, pending: NONE, index, endsUs };
    return { ...lapse(this.#pending, this.#used, nowUs), index, endsUs };
  }

  #set(used: number, pending: readonly Pending[], index: number, endsUs: number): void {
    const isEmpty = used === 0 && pending.length === 0;
    this.#index = isEmpty ? 0 : index;
    this.#used = used;
    this.#pending = pending.length === 0 ? NONE : pending;
    this.expiresUs = isEmpty ? 0 : endsUs;
  }
}
