import type { LimitRequest, StoreVerdict } from '../stores/rate-limit.store.js';
import { Recency } from '../stores/recency.js';
import type { Lease } from './lease.js';
import { LeaseSize } from './lease-size.js';

/** A decision that waits for a lease. */
interface Waiting {
  readonly limits: readonly LimitRequest[];
  readonly resolve: (verdict: StoreVerdict | Promise<StoreVerdict>) => void;
  readonly reject: (error: unknown) => void;
}

/** What this process knows of one key that may be leased. */
export interface LeasedKey {
  readonly size: LeaseSize;
  lease: Lease | undefined;
  waiting: Waiting[];
  /** Whether units are under way. */
  asking: boolean;
  /** Leases of a slow Redis melt before they arrive: nothing is taken until then. */
  plainUntilMs: number;
}

/** Beyond this many the key unused for longest is forgotten. */
const MAX_KEYS = 10_000;

/** The keys that may be leased. Bounded. */
export class LeasedKeys {
  readonly #known = new Recency<LeasedKey>();

  /** Calls back for a key that is forgotten. */
  constructor(private readonly onForgotten: (key: LeasedKey) => void) {}

  find(name: string): LeasedKey | undefined {
    return this.#known.find(name)?.value;
  }

  /** What is known of a key, as just used. */
  of(name: string, nowMs: number): LeasedKey {
    const entry = this.#known.find(name);
    if (entry !== undefined) {
      this.#known.use(entry);
      return entry.value;
    }
    if (this.#known.size >= MAX_KEYS) {
      const oldest = this.#known.oldest!;
      this.#known.delete(oldest);
      this.onForgotten(oldest.value);
    }
    const size = new LeaseSize(nowMs);
    const key: LeasedKey = { size, lease: undefined, waiting: [], asking: false, plainUntilMs: -Infinity };
    this.#known.add(name, key);
    return key;
  }
}
