import { isRedisUnavailable, outsideRequests, type Backend, type Key } from '@roost/redis';
import type { RateLimitStore, Settlement } from '../stores/rate-limit.store.js';

/** What a store is told about one key, besides decisions. */
type Order =
  | { readonly action: 'reset' | 'unblock'; readonly key: Key }
  | { readonly action: 'block'; readonly key: Key; readonly until: number }
  | { readonly action: 'settle'; readonly key: Key; readonly settlement: Settlement };

/** How many orders wait for a lost Redis; the oldest is given up beyond it, and its key lasts until it expires. */
const MAX_WAITING = 10_000;
/** One script call must not keep Redis busy. */
const MAX_AT_ONCE = 500;
/** How soon a return of Redis is noticed: traffic may ramp up before the backend says so. */
const RETRY_MS = 100;

/** Gives orders to Redis: at once, or as soon as it is back. Of two orders about one key the later one counts. */
export class RedisOrders {
  readonly #waiting = new Map<string, Order>();
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly backend: Backend,
    private readonly redis: RateLimitStore,
    /** Called when Redis refused an order that had waited. */
    private readonly onBug: (error: unknown) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How many orders wait for Redis. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves to how many counts there were; what waits for Redis is not among them. */
  reset(keys: readonly Key[]): Promise<number> {
    return this.#tell(keys.map((key) => ({ action: 'reset', key })));
  }

  async block(keys: readonly Key[], forMs: number): Promise<void> {
    const until = this.now() + forMs;
    await this.#tell(keys.map((key) => ({ action: 'block', key, until })));
  }

  /** Resolves to how many blocks there were; what waits for Redis is not among them. */
  unblock(keys: readonly Key[]): Promise<number> {
    return this.#tell(keys.map((key) => ({ action: 'unblock', key })));
  }

  /** Resolves to how many charges were still held; what waits for Redis is not among them. */
  settle(settlements: readonly Settlement[]): Promise<number> {
    return this.#tell(settlements.map((settlement) => ({ action: 'settle', key: settlement.key, settlement })));
  }

  /** Gives up what waits. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#retry);
    this.#retry = undefined;
    this.#waiting.clear();
  }

  /** Also while traffic ramps up, when Redis already decides about some. */
  get #lost(): boolean {
    return this.backend.state().write === 'open';
  }

  async #tell(orders: readonly Order[]): Promise<number> {
    const merged = orders.map((order) => this.#takeWith(order));
    if (this.#lost) return this.#wait(merged);
    let found = 0;
    for (const batch of batchesOf(merged)) found += await this.#tellBatch(batch);
    return found;
  }

  async #tellBatch(batch: readonly Order[]): Promise<number> {
    try {
      return await this.#send(batch);
    } catch (error) {
      if (isRedisUnavailable(error)) return this.#wait(batch);
      throw error;
    }
  }

  /** The order that stands for what waits about its key and the new one: a count that is forgotten is not blocked. */
  #takeWith(order: Order): Order {
    const id = idOf(order);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting?.action === 'reset' && order.action === 'unblock' ? waiting : order;
  }

  #wait(orders: readonly Order[]): 0 {
    if (this.#closed) return 0;
    for (const order of orders) {
      // An order that failed must not take the place of a later one.
      if (!this.#waiting.has(idOf(order))) this.#waiting.set(idOf(order), order);
    }
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(oldest);
    }
    this.#retry ??= outsideRequests(() => setInterval(() => void this.#tellWaiting(), RETRY_MS).unref());
    return 0;
  }

  async #tellWaiting(): Promise<void> {
    while (this.#waiting.size > 0) {
      if (this.#lost) return;
      const batch = batchesOf(this.#waiting.values()).next().value as readonly Order[];
      for (const order of batch) this.#waiting.delete(idOf(order));
      try {
        await this.#send(batch);
      } catch (error) {
        if (isRedisUnavailable(error)) return void this.#wait(batch);
        this.onBug(error);
      }
    }
    clearInterval(this.#retry);
    this.#retry = undefined;
  }

  async #send(batch: readonly Order[]): Promise<number> {
    const first = batch[0]!;
    const keys = batch.map(({ key }) => key);
    switch (first.action) {
      case 'reset':
        return this.redis.reset(keys);
      case 'unblock':
        return this.redis.unblock(keys);
      case 'settle':
        return this.redis.settle(batch.map((order) => (order as typeof first).settlement));
      case 'block': {
        const forMs = Math.ceil(first.until - this.now());
        // A block that is over leaves nothing behind: see `RateLimitStore.block`.
        if (forMs <= 0) return this.redis.reset(keys);
        await this.redis.block(keys, forMs);
        return 0;
      }
    }
  }
}

/** A hold is settled by its own name; other orders are about all of a key. */
function idOf(order: Order): string {
  return order.action === 'settle' ? `${order.key.name} ${order.settlement.holdId}` : order.key.name;
}

/** Groups orders that one call can give, in the order in which they came: of one kind, and of distinct keys. */
function* batchesOf(orders: Iterable<Order>): Generator<readonly Order[]> {
  let batch: Order[] = [];
  const names = new Set<string>();
  for (const order of orders) {
    const full = batch.length === MAX_AT_ONCE || names.has(order.key.name);
    if (batch.length > 0 && (full || !together(batch[0]!, order))) {
      yield batch;
      batch = [];
      names.clear();
    }
    batch.push(order);
    names.add(order.key.name);
  }
  if (batch.length > 0) yield batch;
}

function together(a: Order, b: Order): boolean {
  return a.action === b.action && (a.action !== 'block' || a.until === (b as typeof a).until);
}
