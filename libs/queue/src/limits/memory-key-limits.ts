import { KeyLimits, refused, type KeyClaim, type KeyHold, type KeyVerdict } from './key-limits.js';
import { limitKeyOf } from './limit.keys.js';
import { cellOf } from './rate-cell.js';

/** What is known of one key, in µs. */
interface Limit {
  /** Token → when its lease ends. */
  readonly holders: Map<string, number>;
  /** Until when the rate is charged. */
  tat: number;
}

const LOOKED_AT_PER_CLAIM = 2;

/**
 * Limits of a single process, with the same answers as Redis. What ran out is forgotten when somebody looks, and every
 * claim looks at two other keys, so that no timer is needed.
 */
export class MemoryKeyLimits extends KeyLimits {
  readonly #limits = new Map<string, Limit>();
  #lookedAt = this.#limits.entries();

  constructor(
    /** Ms of any clock that does not go back. */ private readonly now: () => number = () => performance.now(),
  ) {
    super();
  }

  /** How many keys are in memory. */
  get size(): number {
    return this.#limits.size;
  }

  async acquire(claim: KeyClaim): Promise<KeyVerdict> {
    const now = this.#nowUs();
    this.#lookAtOthers(now);
    const { name } = limitKeyOf(claim);
    const limit = this.#limits.get(name) ?? { holders: new Map<string, number>(), tat: 0 };
    prune(limit, now);
    const refusal = limit.holders.has(claim.token) ? undefined : chargeOrRefuse(limit, claim, now);
    if (refusal) return refusal;
    limit.holders.set(claim.token, now + claim.leaseMs * 1_000);
    this.#limits.set(name, limit);
    return { granted: true };
  }

  async renew(holds: readonly KeyHold[], leaseMs: number): Promise<readonly KeyHold[]> {
    const now = this.#nowUs();
    return holds.filter((hold) => {
      const holders = this.#limits.get(limitKeyOf(hold).name)?.holders;
      const kept = (holders?.get(hold.token) ?? 0) > now;
      if (kept) holders!.set(hold.token, now + leaseMs * 1_000);
      return !kept;
    });
  }

  async release(hold: KeyHold): Promise<void> {
    this.#limits.get(limitKeyOf(hold).name)?.holders.delete(hold.token);
  }

  #nowUs(): number {
    return Math.round(this.now() * 1_000);
  }

  #lookAtOthers(now: number): void {
    for (let looked = 0; looked < LOOKED_AT_PER_CLAIM; looked++) {
      const { done, value } = this.#lookedAt.next();
      if (done) {
        this.#lookedAt = this.#limits.entries();
        return;
      }
      const [name, limit] = value;
      prune(limit, now);
      if (limit.holders.size === 0 && limit.tat <= now) this.#limits.delete(name);
    }
  }
}

function prune({ holders }: Limit, now: number): void {
  for (const [token, endsAt] of holders) if (endsAt <= now) holders.delete(token);
}

function chargeOrRefuse(limit: Limit, { concurrency, rate }: KeyClaim, now: number): KeyVerdict | undefined {
  if (concurrency !== undefined && limit.holders.size >= concurrency) {
    return refused('concurrency', Math.ceil((Math.min(...limit.holders.values()) - now) / 1_000));
  }
  const { intervalUs, burstUs } = cellOf(rate);
  if (intervalUs === 0) return undefined;
  // What lies further ahead was charged by a slower rate, which holds no longer.
  const from = Math.min(Math.max(limit.tat, now), now + burstUs);
  const waitUs = from + intervalUs - burstUs - now;
  limit.tat = waitUs > 0 ? from : from + intervalUs;
  return waitUs > 0 ? refused('rate', Math.ceil(waitUs / 1_000)) : undefined;
}
