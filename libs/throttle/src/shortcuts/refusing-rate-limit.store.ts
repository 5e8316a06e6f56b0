import type { Key, PubSub } from '@roost/redis';
import type {
  DecideMode,
  LimitRequest,
  LimitVerdict,
  RateLimitStore,
  Settlement,
  StoreVerdict,
} from '../stores/rate-limit.store.js';
import { ForgottenKeys } from './forgotten-keys.js';
import type { RejectCache } from './reject-cache.js';
import { ShortcutStore } from './shortcut.store.js';

export interface RefusingOptions {
  /** Called for each request that was refused without asking. */
  readonly onRefused?: () => void;
  /** Monotonic ms. @default performance.now */
  readonly nowMs?: () => number;
}

/**
 * Refuses here whom Redis is known to refuse. Whatever gives something back, here or in another process, makes it ask
 * again; while such news may get lost it learns nothing.
 */
export class RefusingRateLimitStore extends ShortcutStore {
  readonly #news: ForgottenKeys;
  readonly #onRefused: () => void;
  readonly #nowMs: () => number;

  constructor(
    inner: RateLimitStore,
    private readonly refusals: RejectCache,
    pubsub: Pick<PubSub, 'publish' | 'subscribe' | 'onGap'>,
    { onRefused = () => undefined, nowMs = () => performance.now() }: RefusingOptions = {},
  ) {
    super(inner);
    this.#onRefused = onRefused;
    this.#nowMs = nowMs;
    this.#news = new ForgottenKeys(pubsub, (names) => (names ? refusals.forget(names) : refusals.forgetAll()));
  }

  override decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    if (mode === 'peek') return this.inner.decide(limits, mode);
    const known = this.#refuse(limits);
    return known === undefined ? this.#ask(limits, this.#nowMs()) : Promise.resolve(known);
  }

  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict | undefined {
    if (mode === 'peek') return this.inner.decideNow(limits, mode);
    return this.#refuse(limits) ?? this.inner.decideNow(limits, mode);
  }

  override async settle(settlements: readonly Settlement[]): Promise<number> {
    const returned = settlements.filter(({ cost, held }) => cost < held).map(({ key }) => key);
    try {
      return await this.inner.settle(settlements);
    } finally {
      void this.#forget(returned); // the request that ends must not wait for others to hear of it
    }
  }

  override adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]> {
    const returned = limits.filter(({ cost }) => cost < 0).map(({ key }) => key);
    return this.#returning(returned, () => this.inner.adjust(limits));
  }

  /** A block ends what was known, too: it may end earlier. */
  override block(keys: readonly Key[], forMs: number): Promise<void> {
    return this.#returning(keys, () => this.inner.block(keys, forMs));
  }

  override unblock(keys: readonly Key[]): Promise<number> {
    return this.#returning(keys, () => this.inner.unblock(keys));
  }

  override reset(keys: readonly Key[]): Promise<number> {
    return this.#returning(keys, () => this.inner.reset(keys));
  }

  /** Whether whatever is given back anywhere becomes known here. The first question begins to listen. */
  get listening(): boolean {
    return this.#news.listening;
  }

  /** Stops listening. */
  close(): void {
    this.#news.close();
    this.refusals.forgetAll();
  }

  #refuse(limits: readonly LimitRequest[]): StoreVerdict | undefined {
    const known = this.refusals.find(limits);
    if (known !== undefined) this.#onRefused();
    return known;
  }

  #ask(limits: readonly LimitRequest[], askedAtMs: number): Promise<StoreVerdict> {
    return this.inner.decide(limits, 'consume').then((verdict) => {
      if (!verdict.allowed && this.#news.listening) this.refusals.remember(limits, verdict, askedAtMs);
      return verdict;
    });
  }

  /** Also when it failed: it may have happened all the same. */
  async #returning<T>(keys: readonly Key[], change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      await this.#forget(keys);
    }
  }

  #forget(keys: readonly Key[]): Promise<void> {
    if (keys.length === 0) return Promise.resolve();
    this.refusals.forget(keys.map(({ name }) => name));
    return this.#news.tell(keys);
  }
}
