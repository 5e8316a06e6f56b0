import { isRedisUnavailable } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { Decision } from '../decision.js';
import { isHeld, type Limit } from '../policies/limit.js';
import type { RateLimitStore, Settlement } from '../stores/rate-limit.store.js';
import type { Charge, CountingPlace, Ruling } from './charge.js';
import { heldBy, type HeldCharge } from './held-charge.js';
import type { RedisOrders } from './redis-orders.js';
import { SlotRenewals } from './slot-renewals.js';

/** Knows the charges of this process that will be settled, and keeps the slots among them alive until then. */
export class HeldCharges {
  // Unique among processes, and cheap: one random prefix, then a count.
  readonly #prefix = randomBytes(9).toString('base64url');
  #named = 0;
  readonly #byDecision = new WeakMap<Decision, readonly HeldCharge[]>();
  readonly #renewals: SlotRenewals;

  constructor(
    private readonly stores: Readonly<Record<CountingPlace, RateLimitStore>>,
    private readonly orders: RedisOrders,
    /** Called when a store refused for another reason than an outage. */
    private readonly onBug: (error: unknown) => void,
    /** Called with the names of keys under which something was given back. */
    private readonly onReturned: (keys: readonly string[]) => void = () => undefined,
  ) {
    this.#renewals = new SlotRenewals((place, slots) => this.#renew(place, slots));
  }

  /** Names the charges of a request whose limits say that they are settled when it has ended. */
  forRequest(charges: readonly Charge[]): readonly Charge[] {
    if (!charges.some(({ limit }) => isHeld(limit))) return charges;
    return this.#withHolds(charges, null, isHeld);
  }

  /** Names all charges; what is not settled in time is taken back, except for slots, which are kept until settled. */
  forReservation(charges: readonly Charge[], expiresMs: number): readonly Charge[] {
    return this.#withHolds(charges, expiresMs, () => true);
  }

  /** Remembers what an allowed decision holds, and keeps its slots. */
  remember(decision: Decision, rulings: readonly Ruling[]): void {
    if (!hasHold(rulings)) return;
    this.#byDecision.set(
      decision,
      rulings.flatMap((ruling) => heldBy(ruling) ?? []),
    );
  }

  /** What a decision holds, if anything. */
  of(decision: Decision): readonly HeldCharge[] | undefined {
    return this.#byDecision.get(decision);
  }

  /** Renews slots until they are settled: without it, or when this process dies, they end after their windows. */
  keep(held: readonly HeldCharge[]): void {
    for (const charge of held) if (charge.limit.algorithm === 'concurrency') this.#renewals.add(charge);
  }

  /**
   * Settles charges at what they turned out to cost. Never rejects: what Redis cannot be told is told when it is back,
   * unless the hold has ended by then. Resolves to how many were still held.
   */
  async settle(held: readonly HeldCharge[], costOf: (charge: HeldCharge) => number): Promise<number> {
    const settlements: Record<CountingPlace, Settlement[]> = { redis: [], memory: [], insurance: [] };
    for (const charge of held) {
      this.#renewals.delete(charge);
      const cost = charge.limit.algorithm === 'concurrency' ? 0 : costOf(charge);
      settlements[charge.place].push({ ...charge.settlement, cost });
    }
    try {
      let known = 0;
      for (const place of ['memory', 'insurance'] as const) {
        if (settlements[place].length > 0) known += await this.stores[place].settle(settlements[place]);
      }
      return settlements.redis.length > 0 ? known + (await this.orders.settle(settlements.redis)) : known;
    } catch (error) {
      this.onBug(error);
      return 0;
    } finally {
      const all = [...settlements.memory, ...settlements.insurance, ...settlements.redis];
      this.onReturned(all.filter((each) => each.cost < each.held).map(({ key }) => key.name));
    }
  }

  /** Stops renewing. */
  close(): void {
    this.#renewals.close();
  }

  #withHolds(charges: readonly Charge[], expiresMs: number | null, held: (limit: Limit) => boolean): Charge[] {
    const id = `${this.#prefix}${(this.#named++).toString(36)}`;
    return charges.map((charge) => {
      if (charge.cost === 0 || !held(charge.limit)) return charge;
      return { ...charge, hold: { id, expiresMs: charge.limit.algorithm === 'concurrency' ? null : expiresMs } };
    });
  }

  async #renew(place: CountingPlace, slots: readonly HeldCharge[]): Promise<void> {
    try {
      await this.stores[place].renew(slots.map(({ settlement }) => settlement));
    } catch (error) {
      if (isRedisUnavailable(error)) return; // the next round tries again, before the slots end
      // Something foreign stands where one of them is counted: the others are not to end for that.
      if (slots.length > 1) for (const slot of slots) await this.#renew(place, [slot]);
      else this.onBug(error);
    }
  }
}

function hasHold(rulings: readonly Ruling[]): boolean {
  for (const { charge } of rulings) if (charge.hold) return true;
  return false;
}
