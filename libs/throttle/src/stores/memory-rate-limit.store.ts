import type { Key } from '@roost/redis';
import { neverFits, type AlgorithmName } from '../algorithms/algorithm.js';
import { Calendars } from '../algorithms/calendar.js';
import { algorithms, blockedVerdict, verdictOf } from '../algorithms/verdict.js';
import { fixedWindowAt } from '../algorithms/windows.js';
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
import { Recency } from './recency.js';
import { GcraTally } from './tallies/gcra.tally.js';
import { LedgerTally } from './tallies/ledger.tally.js';
import { SlidingWindowTally } from './tallies/sliding-window.tally.js';
import type { Tally } from './tallies/tally.js';
import { WindowTally, type WindowAt } from './tallies/window.tally.js';

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

/** What takes the place of a tally. */
class Block {
  constructor(readonly expiresUs: number) {}
}

/** Refusals, remembered under a key of their own. */
class Violations {
  constructor(
    readonly count: number,
    readonly expiresUs: number,
  ) {}
}

type Counted = Tally | Block | Violations;

/** One limit of a request, looked at. */
interface Looked {
  readonly limit: LimitRequest;
  readonly tally: Tally;
  readonly isNew: boolean;
  readonly snapshot: unknown;
  readonly fits: boolean;
  /** For how long it is blocked; 0 when it is not. */
  blockedUs: number;
}

/** Counts in this process, with the same results as Redis. Bounded: when full, forgets whom it has not seen for longest. */
export class MemoryRateLimitStore extends RateLimitStore {
  readonly #entries = new Recency<Counted>();
  readonly #calendars = new Calendars();
  readonly #maxEntries: number;
  readonly #nowUs: () => number;
  readonly #onEvict: (() => void) | undefined;
  readonly #sweeper: NodeJS.Timeout;
  #evicted = 0;

  constructor(options: MemoryRateLimitStoreOptions = {}) {
    super();
    const { maxEntries = 100_000, nowUs = processClockUs, sweepMs = 5_000, onEvict } = options;
    this.#maxEntries = maxEntries;
    this.#nowUs = nowUs;
    this.#onEvict = onEvict;
    // One timer for all keys, made here and not in the first request, whose async context it would keep alive.
    this.#sweeper = setInterval(() => this.sweep(), sweepMs).unref();
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    return settled(() => this.decideNow(limits, mode));
  }

  /** Like `decide`, at once. */
  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict {
    checkRequests(limits, mode);
    const nowUs = this.#nowUs();
    if (limits.length === 1) {
      const looked = this.#look(limits[0]!, nowUs);
      const { fits } = looked;
      return { allowed: fits, limits: [this.#answer(looked, fits, mode, nowUs)] };
    }
    const all = limits.map((limit) => this.#look(limit, nowUs));
    const allowed = all.every(({ fits }) => fits);
    return { allowed, limits: all.map((looked) => this.#answer(looked, allowed, mode, nowUs)) };
  }

  settle(settlements: readonly Settlement[]): Promise<number> {
    return settled(() => this.#settle(settlements, (tally, each, nowUs) => tally.settle(each, nowUs)));
  }

  renew(settlements: readonly Settlement[]): Promise<number> {
    return settled(() => this.#settle(settlements, (tally, each, nowUs) => tally.renew?.(each, nowUs) ?? false));
  }

  adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]> {
    return settled(() => {
      checkChanges(limits);
      const nowUs = this.#nowUs();
      return limits.map((limit) => {
        const { tally, blockedUs, isNew } = this.#look(limit, nowUs);
        if (blockedUs === 0 && limit.cost !== 0 && limit.limit > 0) {
          tally.adjust(limit, nowUs);
          if (isNew) this.#remember(limit.key.name, tally, nowUs);
          else this.#touch(limit.key.name);
        }
        return this.#answer(this.#look({ ...limit, cost: 1 }, nowUs), false, 'peek', nowUs);
      });
    });
  }

  block(keys: readonly Key[], forMs: number): Promise<void> {
    return settled(() => {
      checkMs('forMs', forMs);
      const nowUs = this.#nowUs();
      for (const { name } of keys) this.#remember(name, new Block(nowUs + forMs * 1_000), nowUs);
    });
  }

  unblock(keys: readonly Key[]): Promise<number> {
    return settled(() => this.#forget(keys, (value) => value instanceof Block));
  }

  violations(keys: readonly Key[]): Promise<readonly number[]> {
    return settled(() => {
      const nowUs = this.#nowUs();
      return keys.map(({ name }) => this.#violations(name, nowUs));
    });
  }

  reset(keys: readonly Key[]): Promise<number> {
    return settled(() => this.#forget(keys, () => true));
  }

  /** How many limits are remembered now. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many limits were forgotten before their time because the store was full. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Forgets what has expired. */
  sweep(): void {
    const nowUs = this.#nowUs();
    for (const entry of this.#entries) if (entry.value.expiresUs <= nowUs) this.#entries.delete(entry);
  }

  /** Stops sweeping and forgets everything. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#entries.clear();
  }

  #look(limit: LimitRequest, nowUs: number): Looked {
    const found = this.#entries.find(limit.key.name)?.value;
    const blockedUs = found instanceof Block ? Math.max(found.expiresUs - nowUs, 0) : 0;
    const isNew = found === undefined || found instanceof Block;
    const tally = isNew ? this.#newTally(limit.algorithm) : (found as Tally);
    const snapshot = tally.look(limit, nowUs);
    const fits =
      blockedUs === 0 &&
      !neverFits(limit, limit.cost) &&
      algorithms[limit.algorithm].fits(snapshot, limit, limit.cost, nowUs);
    return { limit, tally, isNew, snapshot, fits, blockedUs };
  }

  /** What the limit says, and what follows from it. */
  #answer(looked: Looked, allowed: boolean, mode: DecideMode, nowUs: number): LimitVerdict {
    const { limit, tally, isNew, fits } = looked;
    const algorithm = algorithms[limit.algorithm];
    let { snapshot } = looked;
    if (mode === 'consume' && !allowed) {
      if (!isNew || looked.blockedUs > 0) this.#touch(limit.key.name);
      if (!fits && looked.blockedUs === 0 && limit.block && limit.cost > 0 && limit.limit > 0) {
        looked.blockedUs = this.#violated(limit.key.name, limit.block, nowUs);
      }
    } else if (mode === 'consume' && limit.cost > 0) {
      tally.charge(limit, nowUs);
      if (isNew) this.#remember(limit.key.name, tally, nowUs);
      else this.#touch(limit.key.name);
      snapshot = algorithm.charged(snapshot, limit, limit.cost);
    }
    if (looked.blockedUs > 0 && limit.limit > 0) return blockedVerdict(limit, limit.cost, looked.blockedUs);
    return verdictOf(algorithm, snapshot, limit, limit.cost, nowUs, fits);
  }

  /** Counts a refusal. Every so many of them block: returns for how long. */
  #violated(name: string, { after, forMs, withinMs, violations }: BlockRule, nowUs: number): number {
    const count = this.#violations(violations.name, nowUs) + 1;
    this.#remember(violations.name, new Violations(count, nowUs + withinMs * 1_000), nowUs);
    if (count % after !== 0) return 0;
    this.#remember(name, new Block(nowUs + forMs * 1_000), nowUs);
    return forMs * 1_000;
  }

  #violations(name: string, nowUs: number): number {
    const found = this.#entries.find(name)?.value;
    return found instanceof Violations && found.expiresUs > nowUs ? found.count : 0;
  }

  #settle(
    settlements: readonly Settlement[],
    settle: (tally: Tally, settlement: Settlement, nowUs: number) => boolean,
  ): number {
    checkSettlements(settlements);
    const nowUs = this.#nowUs();
    return settlements.filter((each) => {
      const found = this.#entries.find(each.key.name)?.value;
      return found !== undefined && !(found instanceof Block) && settle(found as Tally, each, nowUs);
    }).length;
  }

  #newTally(algorithm: AlgorithmName): Tally {
    switch (algorithm) {
      case 'gcra':
        return new GcraTally();
      case 'fixed-window':
        return new WindowTally(epochWindow);
      case 'calendar':
        return new WindowTally(({ calendar }, nowUs) => this.#calendars.periodAt(calendar!, nowUs));
      case 'sliding-window':
        return new SlidingWindowTally();
      default:
        return new LedgerTally();
    }
  }

  #remember(name: string, value: Counted, nowUs: number): void {
    const entry = this.#entries.find(name);
    if (entry) {
      entry.value = value;
      this.#entries.use(entry);
    } else {
      if (this.#entries.size >= this.#maxEntries) this.#evict(nowUs);
      this.#entries.add(name, value);
    }
  }

  #forget(keys: readonly Key[], which: (value: Counted) => boolean): number {
    const nowUs = this.#nowUs();
    let forgotten = 0;
    for (const { name } of keys) {
      const entry = this.#entries.find(name);
      if (entry === undefined || !which(entry.value)) continue;
      this.#entries.delete(entry);
      if (entry.value.expiresUs > nowUs) forgotten++;
    }
    return forgotten;
  }

  /** Who keeps trying is remembered as long as who gets in. */
  #touch(name: string): void {
    const entry = this.#entries.find(name);
    if (entry) this.#entries.use(entry);
  }

  #evict(nowUs: number): void {
    const oldest = this.#entries.oldest!;
    this.#entries.delete(oldest);
    if (oldest.value.expiresUs <= nowUs) return;
    this.#evicted++;
    this.#onEvict?.();
  }
}

const epochWindow: WindowAt = ({ windowUs }, nowUs) => fixedWindowAt(windowUs, nowUs);

const { timeOrigin } = performance;

function processClockUs(): number {
  return Math.floor((timeOrigin + performance.now()) * 1_000);
}

/** At once, as a promise. */
function settled<T>(run: () => T): Promise<T> {
  try {
    return Promise.resolve(run());
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
