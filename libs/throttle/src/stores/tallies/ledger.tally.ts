import type { Taken } from '../../algorithms/leaving.js';
import { withDebt } from '../../algorithms/algorithm.js';
import { differenceOf } from '../differences.js';
import type { LimitRequest, Settlement } from '../rate-limit.store.js';
import type { Tally } from './tally.js';

/** In the order that Redis has for members that leave at once: what is given back first stands last. */
const EARLY = 0;
const HELD = 1;
const NOBODYS = 2;

interface Members {
  readonly leavesUs: number;
  /** `HELD` can be settled, `EARLY` too and leaves early when nobody does, `NOBODYS` cannot. */
  readonly kind: number;
  readonly id: string;
  amount: number;
}

/** What was taken, by when it leaves: sliding-log and concurrency. */
export class LedgerTally implements Tally {
  #members: Members[] = [];

  get expiresUs(): number {
    return this.#members.at(-1)?.leavesUs ?? 0;
  }

  look({ limit, cost }: LimitRequest, nowUs: number): Taken {
    const used = this.#used(nowUs);
    if (used === 0) return { used, retryUs: 0, resetUs: 0 };
    const retryUs = cost <= limit && used + cost > limit ? this.#leavesUs(used + cost - limit, nowUs) - nowUs : 0;
    return { used, retryUs, resetUs: this.expiresUs - nowUs };
  }

  charge({ algorithm, cost, windowUs, hold }: LimitRequest, nowUs: number): void {
    this.#forget(nowUs);
    const expiresUs = (hold?.expiresMs ?? Infinity) * 1_000;
    if (algorithm === 'sliding-log' && hold && expiresUs < windowUs) this.#add(nowUs + expiresUs, EARLY, hold.id, cost);
    else this.#add(nowUs + windowUs, hold ? HELD : NOBODYS, hold?.id ?? '', cost);
  }

  settle(settlement: Settlement, nowUs: number): boolean {
    const charge = this.#find(settlement, nowUs);
    if (charge === undefined) return false;
    this.#forget(nowUs);
    const { limit, windowUs } = settlement;
    const { refund, extra } = differenceOf(settlement, 1);
    this.#members.splice(this.#members.indexOf(charge), 1);
    const kept = Math.min(charge.amount, Math.max(settlement.held - refund, 0));
    // When it was charged is not known of one that would have left early: it counts from now on.
    this.#add(charge.kind === EARLY ? nowUs + windowUs : charge.leavesUs, NOBODYS, '', kept);
    this.#add(nowUs + windowUs, NOBODYS, '', Math.min(extra, withDebt(limit) - this.#used(nowUs)));
    return true;
  }

  renew(settlement: Settlement, nowUs: number): boolean {
    const charge = this.#find(settlement, nowUs);
    if (charge === undefined) return false;
    this.#members.splice(this.#members.indexOf(charge), 1);
    this.#add(nowUs + settlement.windowUs, HELD, charge.id, charge.amount);
    return true;
  }

  adjust({ cost, limit, windowUs }: LimitRequest, nowUs: number): void {
    if (cost > 0) {
      this.#forget(nowUs);
      this.#add(nowUs + windowUs, NOBODYS, '', Math.min(cost, withDebt(limit) - this.#used(nowUs)));
    } else {
      this.#giveBack(Math.min(-cost, this.#used(nowUs)));
    }
  }

  #used(nowUs: number): number {
    let used = 0;
    for (let i = this.#members.length - 1; i >= 0; i--) {
      const { leavesUs, amount } = this.#members[i]!;
      if (leavesUs <= nowUs) break;
      used += amount;
    }
    return used;
  }

  /** When the nth has left that has not yet. */
  #leavesUs(nth: number, nowUs: number): number {
    let left = nth;
    for (const { leavesUs, amount } of this.#members) {
      if (leavesUs > nowUs && (left -= amount) <= 0) return leavesUs;
    }
    return nowUs;
  }

  #find({ holdId }: Settlement, nowUs: number): Members | undefined {
    return this.#members.find(({ id, kind, leavesUs }) => id === holdId && kind !== NOBODYS && leavesUs > nowUs);
  }

  #forget(nowUs: number): void {
    const first = this.#members.findIndex(({ leavesUs }) => leavesUs > nowUs);
    if (first !== 0) this.#members.splice(0, first === -1 ? this.#members.length : first);
  }

  #add(leavesUs: number, kind: number, id: string, amount: number): void {
    if (amount <= 0) return;
    let at = this.#members.length;
    while (at > 0 && stands(this.#members[at - 1]!, leavesUs, kind, id) > 0) at--;
    const before = this.#members[at - 1];
    if (before && kind === NOBODYS && before.kind === NOBODYS && before.leavesUs === leavesUs) before.amount += amount;
    else this.#members.splice(at, 0, { leavesUs, kind, id, amount });
  }

  #giveBack(amount: number): void {
    for (let left = amount; left > 0;) {
      const last = this.#members.at(-1)!;
      const taken = Math.min(last.amount, left);
      left -= taken;
      if ((last.amount -= taken) === 0) this.#members.pop();
    }
  }
}

/** Above 0 when a member stands behind the place. */
function stands(member: Members, leavesUs: number, kind: number, id: string): number {
  return member.leavesUs - leavesUs || member.kind - kind || (member.id > id ? 1 : -1);
}
