import { outsideRequests, type Key } from '@roost/redis';
import { neverFits } from '../algorithms/algorithm.js';
import { algorithms, blockedVerdict, verdictOf } from '../algorithms/verdict.js';
import { atOnce } from './at-once.js';
import { BoundedEntries } from './bounded-entries.js';
import { checkChanges, checkMs, checkRequests, checkSettlements } from './checks.js';
import {
  RateLimitStore,
  type BlockRule,
  type DecideMode,
  type LimitRequest,
  type LimitVerdict,
  type Settlement,
  type StoreVerdict,
} from './rate-limit.store.js';
import type { Entry } from './recency.js';
import { Block, Violations } from './tallies/block.js';
import { Tallies } from './tallies/tallies.js';
import type { Tally } from './tallies/tally.js';

export interface MemoryRateLimitStoreOptions {
  /** How many limits are remembered; beyond it the one unused for longest is forgotten. @default 100_000 */
  readonly maxEntries?: number;
  /** The clock, in µs since the epoch. @default this process' clock, which never steps back */
  readonly nowUs?: () => number;
  /** How often expired entries are removed, in ms. @default 5_000 */
  readonly sweepMs?: number;
  /** Called when a limit is forgotten before its time. */
  readonly onEvict?: () => void;
}

type Counted = Tally | Block | Violations;

/** One limit of a request as it is before it is answered. */
interface Looked {
  readonly entry: Entry<Counted> | undefined;
  /** Not among the entries yet when the subject is new, or was blocked. */
  readonly tally: Tally;
  readonly snapshot: unknown;
  readonly fits: boolean;
  /** For how long it is blocked; 0 when it is not. */
  readonly blockedUs: number;
}

/** Counts in this process, with the same results as Redis. Bounded: when full, forgets whom it has not seen for longest. */
export class MemoryRateLimitStore extends RateLimitStore {
  readonly #entries: BoundedEntries<Counted>;
  readonly #tallies = new Tallies();
  readonly #nowUs: () => number;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: MemoryRateLimitStoreOptions = {}) {
    super();
    const { maxEntries = 100_000, nowUs = processClockUs, sweepMs = 5_000, onEvict } = options;
    this.#entries = new BoundedEntries(maxEntries, onEvict);
    this.#nowUs = nowUs;
    this.#sweeper = outsideRequests(() => setInterval(() => this.sweep(), sweepMs).unref()); // one for all keys
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    return atOnce(() => this.#decide(limits, mode));
  }

  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict | undefined {
    return this.#decide(limits, mode);
  }

  settle(settlements: readonly Settlement[]): Promise<number> {
    return this.#toHeld(settlements, (tally, each, nowUs) => tally.settle(each, nowUs));
  }

  renew(settlements: readonly Settlement[]): Promise<number> {
    return this.#toHeld(
      settlements.filter(({ algorithm }) => algorithm === 'concurrency'),
      (tally, each, nowUs) => tally.renew?.(each, nowUs) ?? false,
    );
  }

  adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]> {
    return atOnce(() => {
      checkChanges(limits);
      const nowUs = this.#nowUs();
      return limits.map((limit) => {
        const { tally, blockedUs } = this.#look(limit, nowUs);
        if (blockedUs === 0 && limit.cost !== 0 && limit.limit > 0) {
          tally.adjust(limit, nowUs);
          this.#entries.set(limit.key.name, tally, nowUs);
        }
        const next = { ...limit, cost: 1 };
        return this.#answer(next, this.#look(next, nowUs), false, 'peek', nowUs);
      });
    });
  }

  block(keys: readonly Key[], forMs: number): Promise<void> {
    return atOnce(() => {
      checkMs('forMs', forMs);
      const nowUs = this.#nowUs();
      for (const { name } of keys) this.#entries.set(name, new Block(nowUs + forMs * 1_000), nowUs);
    });
  }

  unblock(keys: readonly Key[]): Promise<number> {
    return this.#forget(keys, (value) => value instanceof Block);
  }

  violations(keys: readonly Key[]): Promise<readonly number[]> {
    return atOnce(() => keys.map(({ name }) => this.#violations(name, this.#nowUs())));
  }

  reset(keys: readonly Key[]): Promise<number> {
    return this.#forget(keys, () => true);
  }

  /** How many limits are remembered now. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many limits were forgotten before their time because the store was full. */
  get evicted(): number {
    return this.#entries.evicted;
  }

  /** Forgets what has expired. */
  sweep(): void {
    this.#entries.sweep(this.#nowUs());
  }

  /** Stops sweeping and forgets everything. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#entries.clear();
  }

  #decide(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict {
    checkRequests(limits, mode);
    const nowUs = this.#nowUs();
    if (limits.length === 1) return this.#decideOne(limits[0]!, mode, nowUs);
    const all = limits.map((limit) => this.#look(limit, nowUs));
    const allowed = all.every(({ fits }) => fits);
    return { allowed, limits: limits.map((limit, i) => this.#answer(limit, all[i]!, allowed, mode, nowUs)) };
  }

  /** The usual case is answered without what is only kept between looking and answering. */
  #decideOne(limit: LimitRequest, mode: DecideMode, nowUs: number): StoreVerdict {
    const { key, cost } = limit;
    const entry = this.#entries.of(key);
    const tally = entry?.value;
    if (tally !== undefined && !(tally instanceof Block) && mode === 'consume' && cost > 0 && !neverFits(limit, cost)) {
      const algorithm = algorithms[limit.algorithm];
      const snapshot = (tally as Tally).look(limit, nowUs);
      if (algorithm.fits(snapshot, limit, cost, nowUs)) {
        const after = algorithm.charged(snapshot, limit, cost);
        (tally as Tally).charge(limit, nowUs);
        this.#entries.use(entry!);
        return { allowed: true, limits: [verdictOf(algorithm, after, limit, cost, nowUs, true)] };
      }
    }
    const looked = this.#look(limit, nowUs);
    return { allowed: looked.fits, limits: [this.#answer(limit, looked, looked.fits, mode, nowUs)] };
  }

  #look(limit: LimitRequest, nowUs: number): Looked {
    const entry = this.#entries.of(limit.key);
    const found = entry?.value;
    const blockedUs = found instanceof Block ? Math.max(found.expiresUs - nowUs, 0) : 0;
    const tally = found === undefined || found instanceof Block ? this.#tallies.of(limit.algorithm) : (found as Tally);
    const snapshot = tally.look(limit, nowUs);
    const fits =
      blockedUs === 0 &&
      !neverFits(limit, limit.cost) &&
      algorithms[limit.algorithm].fits(snapshot, limit, limit.cost, nowUs);
    return { entry, tally, snapshot, fits, blockedUs };
  }

  /** What the limit says, and what follows from it. `entry` may have been pushed out by another limit of the request. */
  #answer(limit: LimitRequest, looked: Looked, allowed: boolean, mode: DecideMode, nowUs: number): LimitVerdict {
    const { entry, tally, snapshot, fits } = looked;
    let { blockedUs } = looked;
    const algorithm = algorithms[limit.algorithm];
    if (mode === 'consume' && allowed && limit.cost > 0) {
      const after = algorithm.charged(snapshot, limit, limit.cost);
      tally.charge(limit, nowUs);
      if (entry?.value === tally && entry.listed) this.#entries.use(entry);
      else this.#entries.set(limit.key.name, tally, nowUs);
      return verdictOf(algorithm, after, limit, limit.cost, nowUs, true);
    }
    if (mode === 'consume' && !allowed) {
      if (entry?.listed) this.#entries.use(entry); // who keeps trying is remembered as long as who gets in
      if (!fits && blockedUs === 0 && limit.block && limit.cost > 0 && limit.limit > 0) {
        blockedUs = this.#violated(limit.key.name, limit.block, nowUs);
      }
    }
    if (blockedUs > 0 && limit.limit > 0) return blockedVerdict(limit, limit.cost, blockedUs);
    return verdictOf(algorithm, snapshot, limit, limit.cost, nowUs, fits);
  }

  /** Counts a refusal. Every so many of them block: returns for how long. */
  #violated(name: string, { after, forMs, withinMs, violations }: BlockRule, nowUs: number): number {
    const count = this.#violations(violations.name, nowUs) + 1;
    this.#entries.set(violations.name, new Violations(count, nowUs + withinMs * 1_000), nowUs);
    if (count % after !== 0) return 0;
    this.#entries.set(name, new Block(nowUs + forMs * 1_000), nowUs);
    return forMs * 1_000;
  }

  #violations(name: string, nowUs: number): number {
    const found = this.#entries.find(name)?.value;
    return found instanceof Violations && found.expiresUs > nowUs ? found.count : 0;
  }

  #toHeld(
    settlements: readonly Settlement[],
    apply: (tally: Tally, settlement: Settlement, nowUs: number) => boolean,
  ): Promise<number> {
    return atOnce(() => {
      checkSettlements(settlements);
      const nowUs = this.#nowUs();
      const known = settlements.filter((each) => {
        const found = this.#entries.find(each.key.name)?.value;
        return found !== undefined && !(found instanceof Block) && apply(found as Tally, each, nowUs);
      });
      return known.length;
    });
  }

  #forget(keys: readonly Key[], which: (value: Counted) => boolean): Promise<number> {
    return atOnce(() => {
      const nowUs = this.#nowUs();
      const forgotten = keys.filter(({ name }) => {
        const entry = this.#entries.find(name);
        return entry !== undefined && which(entry.value) && this.#entries.delete(entry, nowUs);
      });
      return forgotten.length;
    });
  }
}

const { timeOrigin } = performance;

function processClockUs(): number {
  return Math.floor((timeOrigin + performance.now()) * 1_000);
}
