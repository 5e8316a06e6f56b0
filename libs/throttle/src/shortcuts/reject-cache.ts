import { neverFits, type Quota } from '../algorithms/algorithm.js';
import type { LimitRequest, LimitVerdict, StoreVerdict } from '../stores/rate-limit.store.js';
import { LEASE_MS } from './lease.js';
import { Recency } from '../stores/recency.js';
import type { OnForgotten } from './forgotten-keys.js';

export interface RejectCacheOptions {
  /** How many refused subjects are remembered; beyond it the one unused for longest is forgotten. */
  readonly maxEntries: number;
  /** Monotonic ms. @default performance.now */
  readonly nowMs?: () => number;
}

/** What a limit said when it refused. */
interface Refusal extends Quota {
  cost: number;
  remaining: number;
  blocked: boolean;
  /** Redis refuses at least until then. */
  untilMs: number;
  /** Who asks again then is not too early. */
  retryAtMs: number;
  resetAtMs: number;
}

/** No refusal is believed for longer than this without asking again: whatever went wrong, it heals in that time. */
const MAX_TRUST_MS = 60_000;
/** What is leased comes back after a lease at the latest. */
const LEASED_TRUST_MS = LEASE_MS;
/** How many keys that were just forgotten are told apart; beyond it all are taken for forgotten. */
const MAX_FORGOTTEN = 1_000;

/**
 * Remembers whom Redis refuses, and until when. Nobody is refused whom Redis would admit, as long as `forget` is told
 * whenever something is given back. What comes back without a word, a reservation that nobody settled in its time, is
 * noticed a minute later at most. Times are counted from when Redis was asked, which is before it answered.
 */
export class RejectCache {
  readonly #refusals = new Recency<Refusal>();
  readonly #maxEntries: number;
  readonly #nowMs: () => number;
  // An answer that was under way when its key was forgotten is older than that.
  readonly #forgottenAt = new Map<string, number>();
  #allForgottenAt = -Infinity;
  readonly #followers: OnForgotten[] = [];

  constructor({ maxEntries, nowMs = () => performance.now() }: RejectCacheOptions) {
    this.#maxEntries = maxEntries;
    this.#nowMs = nowMs;
  }

  /** How many refusals are remembered. */
  get size(): number {
    return this.#refusals.size;
  }

  /** The refusal of a request, where it is known: what those of its limits say that are known to object. */
  find(limits: readonly LimitRequest[]): StoreVerdict | undefined {
    if (this.#refusals.size === 0) return undefined;
    let said: LimitVerdict[] | undefined;
    let only: number[] | undefined;
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i]!;
      const verdict = this.#verdictOf(limit);
      if (verdict !== undefined) {
        (said ??= []).push(verdict);
        (only ??= []).push(i);
      } else if (limit.block !== undefined) {
        return undefined; // it may refuse as well, and then wants to count that
      }
    }
    if (said === undefined) return undefined;
    return said.length === limits.length ? { allowed: false, limits: said } : { allowed: false, limits: said, only };
  }

  /** Learns from a refusal that was asked for at this time, and has just come. */
  remember(limits: readonly LimitRequest[], verdict: StoreVerdict, askedAtMs: number): void {
    const now = this.#nowMs();
    for (let i = 0; i < limits.length; i++) {
      const said = verdict.limits[i];
      if (said !== undefined) this.#learn(limits[i]!, said, askedAtMs, now);
    }
  }

  /** Calls back whenever refusals are forgotten: what was concluded from them no longer holds either. */
  follow(follower: OnForgotten): void {
    this.#followers.push(follower);
  }

  /** Something was given back under these keys: what is known of them no longer holds. */
  forget(names: readonly string[]): void {
    const now = this.#nowMs();
    for (const follower of this.#followers) follower(names);
    for (const name of names) {
      const entry = this.#refusals.find(name);
      if (entry) this.#refusals.delete(entry);
      this.#forgottenAt.set(name, now);
    }
    if (this.#forgottenAt.size <= MAX_FORGOTTEN) return;
    this.#forgottenAt.clear();
    this.#allForgottenAt = now;
  }

  forgetAll(): void {
    for (const follower of this.#followers) follower(undefined);
    this.#refusals.clear();
    this.#forgottenAt.clear();
    this.#allForgottenAt = this.#nowMs();
  }

  #verdictOf(limit: LimitRequest): LimitVerdict | undefined {
    const entry = this.#refusals.of(limit.key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    const now = this.#nowMs();
    if (now >= value.untilMs) {
      this.#refusals.delete(entry);
      return undefined;
    }
    const same = limit.limit === value.limit && limit.windowUs === value.windowUs && limit.calendar === value.calendar;
    if (!same || (!value.blocked && isCounted(limit))) return undefined;
    // A dearer request is refused as well, but waits longer, or for ever.
    if (value.blocked ? neverFits(limit, limit.cost) : limit.cost !== value.cost) return undefined;
    this.#refusals.use(entry);
    return {
      allowed: false,
      remaining: value.remaining,
      retryAfterMs: Math.ceil(value.retryAtMs - now),
      resetAfterMs: Math.max(Math.ceil(value.resetAtMs - now), 0),
      blocked: value.blocked,
    };
  }

  #learn(limit: LimitRequest, said: LimitVerdict, askedAtMs: number, now: number): void {
    const { retryAfterMs, blocked } = said;
    if (said.allowed || retryAfterMs === null || limit.algorithm === 'concurrency') return;
    if (!blocked && isCounted(limit)) return;
    const { name } = limit.key;
    if (askedAtMs <= this.#allForgottenAt || askedAtMs <= (this.#forgottenAt.get(name) ?? -Infinity)) return;
    // Waits are rounded up: the last millisecond may be free already.
    const untilMs = askedAtMs + Math.min(retryAfterMs - 1, limit.lease && !blocked ? LEASED_TRUST_MS : MAX_TRUST_MS);
    if (untilMs <= now) return;
    const refusal: Refusal = {
      limit: limit.limit,
      windowUs: limit.windowUs,
      calendar: limit.calendar,
      cost: limit.cost,
      remaining: said.remaining,
      blocked,
      untilMs,
      retryAtMs: now + retryAfterMs,
      resetAtMs: now + said.resetAfterMs,
    };
    const known = this.#refusals.find(name);
    if (known) {
      known.value = refusal;
      return this.#refusals.use(known);
    }
    if (this.#refusals.size >= this.#maxEntries) this.#refusals.delete(this.#refusals.oldest!);
    this.#refusals.add(name, refusal);
  }
}

/** Whether each refusal matters to Redis, or the charge of another request may come back before the time told. */
function isCounted({ hold, block }: LimitRequest): boolean {
  return hold !== undefined || block !== undefined;
}
