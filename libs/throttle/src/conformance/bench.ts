import type { Key } from '@roost/redis';
import type { AlgorithmName, CalendarWindow } from '../algorithms/algorithm.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type {
  BlockRule,
  DecideMode,
  LimitRequest,
  LimitVerdict,
  RateLimitStore,
  Settlement,
  StoreVerdict,
} from '../stores/rate-limit.store.js';

/** A store under test, with a clock that stands still unless it is set. */
export interface OpenedRateLimitStore {
  readonly store: RateLimitStore;
  /** Sets the store's clock, in µs since the epoch. */
  setClock(us: number): void | Promise<void>;
  /** Milliseconds until a key expires, -1 when it never will, -2 when there is none; left out where it cannot be told. */
  ttlMs?(key: Key): Promise<number>;
  close(): void | Promise<void>;
}

/** A whole number of hours since the epoch: every window of the vectors begins here. */
export const EPOCH_US = 1_800_000_000_000_000;

/** What is asked of one limit, by the name it has in a test. */
export interface Ask {
  readonly policy: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly algorithm?: AlgorithmName;
  readonly cost?: number;
  /** Names the charge. */
  readonly hold?: string | undefined;
  readonly holdMs?: number;
  readonly block?: Omit<BlockRule, 'violations'>;
  readonly calendar?: CalendarWindow;
}

/** Speaks to a store in seconds from {@link EPOCH_US}, about a subject that no other test has. */
export class Bench {
  readonly #subject: string;
  #slots = 0;

  constructor(
    readonly opened: OpenedRateLimitStore,
    random: number = Math.random(),
  ) {
    this.#subject = `subject-${random}`;
  }

  /** Sets the clock. */
  async at(seconds: number): Promise<this> {
    await this.opened.setClock(EPOCH_US + Math.round(seconds * 1_000_000));
    return this;
  }

  consume(...asks: Ask[]): Promise<StoreVerdict> {
    return this.decide(asks, 'consume');
  }

  peek(...asks: Ask[]): Promise<StoreVerdict> {
    return this.decide(asks, 'peek');
  }

  /** Sets the clock, and asks one limit. */
  async ask(seconds: number, ask: Ask, mode: DecideMode = 'consume'): Promise<LimitVerdict> {
    await this.at(seconds);
    return (await this.decide([ask], mode)).limits[0]!;
  }

  decide(asks: readonly Ask[], mode: DecideMode): Promise<StoreVerdict> {
    return this.opened.store.decide(
      asks.map((ask) => this.requestOf(ask)),
      mode,
    );
  }

  /** Settles a held charge of `ask.cost`, of which `cost` stays. */
  settle(ask: Ask, hold: string, cost: number): Promise<number> {
    return this.opened.store.settle([this.settlementOf(ask, hold, cost)]);
  }

  renew(ask: Ask, hold: string): Promise<number> {
    return this.opened.store.renew([this.settlementOf(ask, hold, 0)]);
  }

  async adjust(ask: Ask, cost: number): Promise<LimitVerdict> {
    return (await this.opened.store.adjust([this.requestOf({ ...ask, cost })]))[0]!;
  }

  async violations(ask: Ask): Promise<number> {
    return (await this.opened.store.violations([this.violationsKeyOf(ask)]))[0]!;
  }

  keyOf({ policy, algorithm = 'gcra' }: Ask): Key {
    return limitKey(algorithm, policy, this.#subject);
  }

  violationsKeyOf({ policy }: Ask): Key {
    return limitKey('violations', policy, this.#subject);
  }

  requestOf(ask: Ask): LimitRequest {
    const { limit, windowMs, algorithm = 'gcra', cost = 1, holdMs = null, block, calendar } = ask;
    // Slots have to be held; mostly it does not matter by whom.
    const { hold = algorithm === 'concurrency' ? `slot-${this.#slots++}` : undefined } = ask;
    return {
      key: this.keyOf(ask),
      algorithm,
      limit,
      windowUs: windowMs * 1_000,
      ...(calendar && { calendar }),
      cost,
      ...(hold !== undefined && { hold: { id: hold, expiresMs: holdMs } }),
      ...(block && { block: { ...block, violations: this.violationsKeyOf(ask) } }),
    };
  }

  settlementOf(ask: Ask, hold: string, cost: number): Settlement {
    const { key, algorithm, limit, windowUs, calendar, cost: held } = this.requestOf(ask);
    return { key, algorithm, limit, windowUs, ...(calendar && { calendar }), holdId: hold, held, cost };
  }
}
