import { outsideRequests, type Commands, type Key } from '@roost/redis';
import type { Quota } from '../algorithms/algorithm.js';
import type { DecideMode, LimitRequest, RateLimitStore, StoreVerdict } from '../stores/rate-limit.store.js';
import { Batch } from './batch.js';
import { consumeScripts, type ConsumeScripts } from './consume.lua.js';
import { giveBackScript, type GiveBackScript } from './give-back.lua.js';
import { Lease, LEASE_MS } from './lease.js';
import { LeasedKeys, type LeasedKey } from './leased-keys.js';
import { isPlain } from './shape.js';
import { ShortcutStore } from './shortcut.store.js';

export interface LeasingOptions {
  /** How many processes share the limits. */
  readonly processes: () => number;
  /** Called for each request that was admitted without asking. */
  readonly onLeased?: () => void;
  /** Monotonic ms. @default performance.now */
  readonly nowMs?: () => number;
  readonly consume?: ConsumeScripts;
  readonly giveBack?: GiveBackScript;
}

/** How long a key goes without after a lease that had melted when it came. */
const PAUSE_MS = 100;

/**
 * Takes many units of a limit that says `lease: true` at once, and spends them here. Never admits more than the limit.
 * May refuse what other processes hold: at most a twentieth of the limit each, for at most 20 ms.
 *
 * After a reset, or when a subject is blocked, other processes spend what they hold for as long.
 */
export class LeasingRateLimitStore extends ShortcutStore {
  readonly #keys = new LeasedKeys((key) => void this.#end(key));
  readonly #held = new Set<LeasedKey>();
  readonly #processes: () => number;
  readonly #onLeased: () => void;
  readonly #nowMs: () => number;
  readonly #consume: ConsumeScripts;
  readonly #giveBack: GiveBackScript;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    inner: RateLimitStore,
    private readonly commands: Commands,
    options: LeasingOptions,
  ) {
    super(inner);
    this.#processes = options.processes;
    this.#onLeased = options.onLeased ?? (() => undefined);
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#consume = options.consume ?? consumeScripts();
    this.#giveBack = options.giveBack ?? giveBackScript();
  }

  override decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const limit = limits[0]!;
    if (!this.#leases(limits, mode)) return this.inner.decide(limits, mode);
    const now = this.#nowMs();
    const known = this.#knownOf(limit, now);
    known.size.count(limit.cost, now);
    return this.#decide(known, limits, now);
  }

  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict | undefined {
    if (this.#held.size === 0 || !this.#leases(limits, mode)) return this.inner.decideNow(limits, mode);
    const limit = limits[0]!;
    const known = this.#keys.find(limit.key.name);
    if (known?.lease === undefined || !sameQuota(known.lease.limit, limit)) return undefined;
    const now = this.#nowMs();
    const spent = known.lease.spend(limit.cost, now);
    if (spent === undefined) return undefined;
    known.size.count(limit.cost, now);
    this.#onLeased();
    return { allowed: true, limits: [spent] };
  }

  #decide(known: LeasedKey, limits: readonly LimitRequest[], now: number): Promise<StoreVerdict> {
    const limit = limits[0]!;
    const spent = known.lease?.spend(limit.cost, now);
    if (spent !== undefined) {
      this.#onLeased();
      return Promise.resolve({ allowed: true, limits: [spent] });
    }
    if (!known.asking) {
      const units = now < known.plainUntilMs ? 0 : known.size.of(limit, this.#processes());
      if (units < limit.cost) return this.#plain(known, limits);
      known.asking = true;
      setImmediate(() => void this.#take(known, limit, units)); // for all that ask in this turn
    }
    return new Promise((resolve, reject) => known.waiting.push({ limits, resolve, reject }));
  }

  override async block(keys: readonly Key[], forMs: number): Promise<void> {
    this.#drop(keys);
    await this.inner.block(keys, forMs);
  }

  override async reset(keys: readonly Key[]): Promise<number> {
    this.#drop(keys);
    return this.inner.reset(keys);
  }

  /** Gives everything back, and takes nothing any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#held].map((known) => this.#end(known)));
  }

  #leases(limits: readonly LimitRequest[], mode: DecideMode): boolean {
    return mode === 'consume' && limits.length === 1 && !this.#closed && isLeasable(limits[0]!);
  }

  async #plain(known: LeasedKey, limits: readonly LimitRequest[]): Promise<StoreVerdict> {
    const verdict = await this.inner.decide(limits, 'consume');
    known.size.remaining = verdict.limits[0]!.remaining;
    return verdict;
  }

  async #take(known: LeasedKey, limit: LimitRequest, units: number): Promise<void> {
    const spentBefore = known.lease?.spent(this.#nowMs()) ?? 0;
    void this.#end(known);
    const asked = known.waiting;
    known.waiting = [];
    const wanted = asked.reduce((sum, { limits }) => sum + limits[0]!.cost, 0);
    const batch = new Batch();
    const demand = batch.add([{ ...limit, cost: 1 }], Math.max(units, wanted));
    const askedAtMs = this.#nowMs();
    try {
      await batch.send(this.commands, this.#consume);
    } catch (error) {
      known.asking = false;
      for (const { reject } of [...asked, ...known.waiting.splice(0)]) reject(error);
      return;
    }
    known.asking = false;
    const granted = demand.answered ? demand.admitted : 0;
    known.size.remaining = granted < demand.times ? 0 : demand.verdict(granted - 1).limits[0]!.remaining;
    let spent = 0;
    for (const { limits, resolve } of asked) {
      const [{ cost, ...quota }] = limits as [LimitRequest];
      // Whom it does not suffice for is told why by the plain way.
      if (spent + cost > granted || !sameQuota(quota, limit)) resolve(this.#plain(known, limits));
      else resolve(demand.verdict((spent += cost) - 1));
    }
    const now = this.#nowMs();
    if (granted > spent) {
      const { usedAfter: used, nowUs } = demand;
      const units = granted - spent;
      const taken = { units, spent: spentBefore + spent, used, nowUs, askedAtMs, answeredAtMs: now };
      this.#hold(known, new Lease(limit, taken), now);
    }
    for (const { limits, resolve } of known.waiting.splice(0)) resolve(this.#decide(known, limits, now));
  }

  #hold(known: LeasedKey, lease: Lease, now: number): void {
    if (lease.usable(now) === 0) known.plainUntilMs = now + PAUSE_MS;
    known.lease = lease;
    this.#held.add(known);
    if (this.#closed) void this.#end(known);
    else this.#timer ??= outsideRequests(() => setTimeout(() => this.#sweep(), LEASE_MS).unref());
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#nowMs();
    for (const known of this.#held) if (now >= known.lease!.endsAtMs) void this.#end(known);
    if (this.#held.size > 0) this.#timer = setTimeout(() => this.#sweep(), LEASE_MS / 2).unref();
  }

  /** Lets go of a lease, and gives back what is left of it. */
  async #end(known: LeasedKey): Promise<void> {
    const { lease } = known;
    known.lease = undefined;
    this.#held.delete(known);
    if (lease === undefined) return;
    const { key, algorithm, windowUs } = lease.limit;
    const { left, sinceUs } = lease.rest(this.#nowMs());
    if (left === 0) return;
    const args = [left, sinceUs, algorithm === 'gcra' ? 0 : windowUs];
    try {
      await this.commands.run(this.#giveBack, { limit: key }, { lease: args });
    } catch {
      // It stays charged, which errs on the strict side, until the limit has regained it.
    }
  }

  #drop(keys: readonly Key[]): void {
    for (const { name } of keys) {
      const known = this.#keys.find(name);
      if (known?.lease === undefined) continue;
      known.lease = undefined;
      this.#held.delete(known);
    }
  }

  #knownOf(limit: LimitRequest, nowMs: number): LeasedKey {
    const known = this.#keys.of(limit.key.name, nowMs);
    if (known.lease !== undefined && !sameQuota(known.lease.limit, limit)) void this.#end(known);
    return known;
  }
}

function isLeasable(request: LimitRequest): boolean {
  const { lease, limit, cost } = request;
  return lease === true && limit > 0 && Number.isSafeInteger(cost) && cost > 0 && isPlain(request);
}

function sameQuota(one: Quota, other: Quota): boolean {
  return one.limit === other.limit && one.windowUs === other.windowUs;
}
