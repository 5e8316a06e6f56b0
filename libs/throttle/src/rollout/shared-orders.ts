import { isRedisUnavailable, type PubSub, type Backend } from '@roost/redis';
import { aboutEvery } from '../switching/about-every.js';
import { changeOrders } from './order.lua.js';
import { changed, type Orders } from './rollout.orders.js';
import { rolloutKey } from './rollout.keys.js';

const CHANNEL = 'rate:rollout';
const POLL_MS = 10_000;

/** What this process wants and Redis does not know yet. */
interface Unsent {
  readonly changes: Orders;
  readonly how: 'merge' | 'anew' | 'restore';
}

export interface SharedOrdersOptions {
  /** Whether Redis is used at all. */
  readonly enabled: boolean;
  readonly onOrders: (orders: Orders) => void;
  /** Called with what could not be read, or with an error that is no outage. */
  readonly onProblem: (problem: string) => void;
  readonly pollMs?: number;
}

/**
 * The orders that all processes follow. They live in one key, are announced when they change, and are looked at every few
 * seconds in case nobody heard. What was ordered while Redis was lost is written when it is back: the last writer wins.
 */
export class SharedOrders {
  readonly #key = rolloutKey.of({});
  #known: Orders = {};
  #unsent: Unsent | undefined;
  #unreadable = '';
  #syncing: Promise<void> | undefined;
  #again = false;
  readonly #stops: (() => void)[] = [];
  #stopped = false;

  constructor(
    private readonly backend: Backend,
    private readonly pubsub: PubSub,
    private readonly options: SharedOrdersOptions,
  ) {}

  /** What is ordered, as far as this process knows. */
  get orders(): Orders {
    if (this.#unsent === undefined) return this.#known;
    return changed(this.#unsent.how === 'anew' ? {} : this.#known, this.#unsent.changes);
  }

  /** Follows the orders of others from now on. */
  start(): void {
    if (!this.options.enabled) return;
    this.#stops.push(
      aboutEvery(this.options.pollMs ?? POLL_MS, () => void this.sync()),
      this.backend.onChange(({ to }) => void (to === 'redis' && this.sync())),
      this.pubsub.onGap(({ phase }) => void (phase === 'restored' && this.sync())),
    );
    void this.#subscribe();
    void this.sync();
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Orders, here at once. Resolves to whether the other processes can know. */
  async order(changes: Orders, how: 'merge' | 'anew' = 'merge'): Promise<boolean> {
    const before = how === 'anew' ? undefined : this.#unsent;
    this.#unsent = { changes: { ...before?.changes, ...changes }, how: before?.how === 'anew' ? 'anew' : how };
    this.options.onOrders(this.orders);
    await this.sync();
    return this.#unsent === undefined;
  }

  /** Writes what is unsent, or reads what others wrote. One at a time, so that an old answer never follows a new one. */
  async sync(): Promise<void> {
    this.#again = true;
    this.#syncing ??= this.#syncUntilDone().finally(() => (this.#syncing = undefined));
    await this.#syncing;
  }

  async #syncUntilDone(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      if (!this.options.enabled || this.#stopped || this.backend.current === 'memory') return;
      try {
        await (this.#unsent === undefined ? this.#read() : this.#write(this.#unsent));
      } catch (error) {
        // An outage: at the next return. What may have been written is written again, which changes nothing.
        if (!isRedisUnavailable(error)) this.options.onProblem((error as Error).message);
        return;
      }
    }
  }

  async #read(): Promise<void> {
    const [stored, kept] = await this.backend.commands.pipeline('write', [
      ['GET', this.#key],
      ['PEXPIRE', this.#key, rolloutKey.ttlMs],
    ]);
    const failed = [stored, kept].find((reply) => reply instanceof Error);
    if (failed) throw failed as Error;
    if (stored !== null) this.#learn(stored as string);
    else if (Object.keys(this.#known).length > 0) await this.#write({ changes: this.#known, how: 'restore' }); // Redis lost it
  }

  async #write(unsent: Unsent): Promise<void> {
    const { changes, how } = unsent;
    const args = { changes: JSON.stringify(changes), how, ttlMs: rolloutKey.ttlMs };
    const written = await this.backend.commands.run(changeOrders, { rollout: this.#key }, args);
    if (this.#unsent === unsent) this.#unsent = undefined;
    else if (how !== 'restore') this.#again = true; // more was ordered meanwhile
    this.#learn(written);
    if (how === 'restore') return;
    try {
      await this.pubsub.publish(CHANNEL, 'changed');
    } catch {
      // Lost right after: the others look by themselves.
    }
  }

  #learn(json: string): void {
    const orders = ordersIn(json);
    if (orders !== undefined) {
      this.#known = orders;
      this.#unreadable = '';
      this.options.onOrders(this.orders);
    } else if (this.#unreadable !== json) {
      this.#unreadable = json;
      this.options.onProblem(`No JSON of ours at ${this.#key.name}; what was ordered before stays`);
    }
  }

  async #subscribe(): Promise<void> {
    const unsubscribe = await this.pubsub.subscribe(CHANNEL, () => void this.sync());
    if (this.#stopped) return unsubscribe();
    this.#stops.push(unsubscribe);
    await this.sync(); // for what was announced before anybody listened
  }
}

function ordersIn(json: string): Orders | undefined {
  try {
    const { orders } = JSON.parse(json) as { orders?: unknown };
    return typeof orders === 'object' && orders !== null && !Array.isArray(orders) ? (orders as Orders) : undefined;
  } catch {
    return undefined; // told once by the caller
  }
}
