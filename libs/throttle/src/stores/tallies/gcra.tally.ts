import { gcra } from '../../algorithms/gcra.js';
import { differenceOf } from '../differences.js';
import type { LimitRequest, Settlement } from '../rate-limit.store.js';
import { held, lapse, NONE, withHold, without, type Pending } from './pending.js';
import { changed, type Tally } from './tally.js';

/** The theoretical arrival time, and what can be settled. */
export class GcraTally implements Tally {
  #tatUs = 0;
  #pending = NONE;
  expiresUs = 0;

  look(_request: LimitRequest, nowUs: number): number {
    return this.#pending === NONE ? Math.max(this.#tatUs - nowUs, 0) : this.#at(nowUs).used;
  }

  charge(request: LimitRequest, nowUs: number): void {
    const amount = request.cost * gcra.unit(request);
    if (this.#pending === NONE && request.hold === undefined) {
      this.#tatUs = this.expiresUs = Math.max(this.#tatUs, nowUs) + amount;
      return;
    }
    const { used, pending } = this.#at(nowUs);
    const mark = nowUs + request.windowUs;
    this.#set(used + amount, request.hold ? withHold(pending, request.hold, amount, mark, nowUs) : pending, nowUs);
  }

  settle(settlement: Settlement, nowUs: number): boolean {
    const { used, pending } = this.#at(nowUs);
    const charge = held(pending, settlement);
    if (charge === undefined) return false;
    const unit = gcra.unit(settlement);
    const { refund, extra } = differenceOf(settlement, unit);
    const left = used - Math.min(refund, charge.amount);
    this.#set(changed(left, extra, settlement.limit * unit), without(pending, charge), nowUs);
    return true;
  }

  adjust(request: LimitRequest, nowUs: number): void {
    const { used, pending } = this.#at(nowUs);
    const unit = gcra.unit(request);
    this.#set(changed(used, request.cost * unit, request.limit * unit), pending, nowUs);
  }

  #at(nowUs: number): { readonly used: number; readonly pending: readonly Pending[] } {
    const used = Math.max(this.#tatUs - nowUs, 0);
    if (this.#pending === NONE) return { used, pending: NONE };
    const left = lapse(this.#pending, used, nowUs);
    return { used: left.used, pending: left.pending.filter((each) => each.expiresUs > 0 || each.mark > nowUs) };
  }

  #set(used: number, pending: readonly Pending[], nowUs: number): void {
    this.#tatUs = this.expiresUs = used === 0 && pending.length === 0 ? 0 : nowUs + used;
    this.#pending = pending.length === 0 ? NONE : pending;
    for (const { expiresUs, mark } of pending) this.expiresUs = Math.max(this.expiresUs, expiresUs, mark);
  }
}
