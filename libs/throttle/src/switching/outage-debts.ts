import { isRedisUnavailable } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import type { LimitRequest, LimitVerdict, RateLimitStore } from '../stores/rate-limit.store.js';

/** How many debts one script call charges, so that Redis is not held up when it has just come back. */
const CHUNK = 100;

/** How much longer than usual a window may be: a day of 25 hours, a month of 31 days. */
const LONGEST = 1.1;

/** What happened to granted requests: charged in Redis; maybe charged, and not tried again; or refused by it, a bug. */
export type DebtOutcome = 'merged' | 'unknown' | 'refused';

export interface OutageDebtsOptions {
  /** How many limits are remembered; the oldest is given up beyond it. */
  readonly maxEntries: number;
  /** Redis' clock, in µs since the epoch. */
  readonly redisNowUs: () => Promise<number>;
  /** This process' clock, in µs since the epoch. */
  readonly nowUs?: () => number;
  readonly onSettled: (outcome: DebtOutcome, requests: number) => void;
  /** Called when Redis refused to charge for another reason than an outage. */
  readonly onBug: (error: unknown) => void;
}

interface Debt {
  /** As this process decided it, with its share of the limit. */
  readonly local: LimitRequest;
  /** The limit as Redis has it. */
  readonly quota: Quota;
  /** What was granted since the last merge. */
  readonly granted: number;
  /** What Redis may have charged itself, although it did not answer. */
  readonly unsure: number;
  /** Whether some of it could be settled here. */
  readonly held: boolean;
}

/** How many requests of a debt Redis is to be told of. */
interface Owed {
  readonly debt: Debt;
  readonly requests: number;
}

/**
 * What this process granted alone while Redis was lost. It is charged in Redis when that is back, so that an outage gives
 * nobody a second helping. Each debt is sent once: one of unknown outcome is given up. What was granted goes on counting
 * here, as do blocks: with a Redis that comes and goes, all outages of a window together grant one share.
 */
export class OutageDebts {
  readonly #debts = new Map<string, Debt>();
  #sent = 0;
  #merging: Promise<void> | undefined;

  constructor(
    private readonly redis: RateLimitStore,
    private readonly insurance: RateLimitStore,
    private readonly options: OutageDebtsOptions,
  ) {}

  /** How many limits have debts, those that are being charged included. */
  get size(): number {
    return this.#debts.size + this.#sent;
  }

  /** Notes a request that this process granted; `unsure` when Redis may have charged it, too. */
  note(local: LimitRequest, quota: Quota, unsure: boolean): void {
    // Slots end with their requests, which Redis knows nothing of.
    if (local.cost === 0 || local.algorithm === 'concurrency') return;
    this.#add({ local, quota, granted: local.cost, unsure: unsure ? local.cost : 0, held: local.hold !== undefined });
  }

  /** Charges everything in Redis, one call after the other. What Redis did not get to see stays, and is used on. */
  async merge(): Promise<void> {
    if (this.#debts.size === 0) return this.#merging;
    this.#merging ??= this.#mergeAll().finally(() => (this.#merging = undefined));
    await this.#merging;
  }

  async #mergeAll(): Promise<void> {
    try {
      const aheadUs = (await this.options.redisNowUs()) - this.#nowUs();
      while (this.#debts.size > 0) await this.#mergeNext(aheadUs);
    } catch (error) {
      if (!isRedisUnavailable(error)) this.options.onBug(error); // else lost again: at the next return
    }
  }

  async #mergeNext(aheadUs: number): Promise<void> {
    const debts = [...this.#debts.values()].slice(0, CHUNK);
    // Taken away before they are sent: what is granted meanwhile is a debt of its own.
    for (const { local } of debts) this.#debts.delete(local.key.name);
    this.#sent = debts.length;
    await this.#charge(debts, aheadUs).finally(() => (this.#sent = 0));
  }

  async #charge(debts: readonly Debt[], aheadUs: number): Promise<void> {
    const seen = await this.insurance.decide(
      debts.map(({ local }) => chargeOf(local, local, 0)),
      'peek',
    );
    const owed = debts
      .map((debt, i) => ({ debt, requests: this.#owed(debt, seen.limits[i]!, aheadUs) }))
      .filter(({ requests }) => requests > 0);
    await this.#keep(debts.map(({ held, local }, i) => ({ held, local, seen: seen.limits[i]! })));
    if (owed.length > 0) await this.#send(owed);
  }

  async #send(owed: readonly Owed[]): Promise<void> {
    const total = owed.reduce((sum, { requests }) => sum + requests, 0);
    try {
      await this.redis.adjust(owed.map(({ debt, requests }) => chargeOf(debt.local, debt.quota, requests)));
      this.options.onSettled('merged', total);
    } catch (error) {
      const unavailable = isRedisUnavailable(error);
      if (!unavailable && owed.length > 1) {
        // Something foreign stands where one of them is counted; nothing was charged, and the others can be.
        for (const each of owed) await this.#send([each]);
        return;
      }
      if (unavailable && !error.outcomeUnknown) {
        // Certainly not charged.
        for (const { debt, requests } of owed) this.#add({ ...debt, granted: requests, unsure: 0, held: false });
      } else this.options.onSettled(unavailable ? 'unknown' : 'refused', total);
      if (unavailable) throw error;
      this.options.onBug(error);
    }
  }

  /** How many requests of the debt still count: of a window that is over by either clock, none. */
  #owed({ local, granted, unsure }: Debt, { remaining, resetAfterMs }: LimitVerdict, aheadUs: number): number {
    if (hasWindows(local.algorithm)) {
      const leftUs = resetAfterMs * 1_000 - aheadUs;
      if (leftUs <= 0 || leftUs > local.windowUs * LONGEST) return 0;
    }
    // What is used may be older than the last merge, and what was granted since may have drained: the older first.
    return Math.max(Math.min(local.limit - remaining, granted) - unsure, 0);
  }

  /** What was held is charged for good, in Redis and so here. */
  async #keep(debts: readonly { held: boolean; local: LimitRequest; seen: LimitVerdict }[]): Promise<void> {
    const held = debts.filter((debt) => debt.held && !debt.seen.blocked);
    const forgotten = this.insurance.reset(held.map(({ local }) => local.key));
    const used = held.map(({ local, seen }) => chargeOf(local, local, local.limit - seen.remaining));
    await Promise.all([forgotten, this.insurance.adjust(used)]);
  }

  #add(debt: Debt): void {
    const { name } = debt.local.key;
    const before = this.#debts.get(name);
    if (!before && this.#debts.size >= this.options.maxEntries) this.#forgetOldest();
    const { granted = 0, unsure = 0, held = false } = before ?? {};
    this.#debts.set(name, {
      ...debt,
      granted: debt.granted + granted,
      unsure: debt.unsure + unsure,
      held: debt.held || held,
    });
  }

  #forgetOldest(): void {
    for (const oldest of this.#debts.keys()) {
      this.#debts.delete(oldest);
      return;
    }
  }

  #nowUs(): number {
    return (this.options.nowUs ?? processClockUs)();
  }
}

function chargeOf({ key, algorithm }: LimitRequest, quota: Quota, cost: number): LimitRequest {
  return { ...quota, key, algorithm, cost };
}

/** Whether all that is counted ends at one moment. */
function hasWindows(algorithm: AlgorithmName): boolean {
  return algorithm === 'fixed-window' || algorithm === 'calendar';
}

function processClockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
