import type { Backend, BackendMode, BackendName, Key } from '@roost/redis';
import { isRedisUnavailable, shareOf } from '@roost/redis';
import type { Quota } from '../algorithms/algorithm.js';
import type { Limit } from '../policies/limit.js';
import type {
  DecideMode,
  Hold,
  LimitRequest,
  LimitVerdict,
  RateLimitStore,
  StoreVerdict,
} from '../stores/rate-limit.store.js';

/** What a request takes of one limit. */
export interface Charge {
  readonly limit: Limit;
  readonly quota: Quota;
  /** A digest: see `subjectDigest`. */
  readonly subject: string;
  /** Where it is counted, when that is known already. @default `limit.keys.of(subject)` */
  readonly key?: Key;
  readonly cost: number;
  /** Names the charge, so that it can be settled at the place that decided. */
  readonly hold?: Hold;
}

/** Who decides about one charge. */
type Place = BackendName | 'open' | 'closed';

/** One charge and its answer. */
export interface Ruling {
  readonly charge: Charge;
  /** The quota in force where it was decided. */
  readonly quota: Quota;
  readonly place: Place;
  readonly verdict: LimitVerdict;
}

/** The answers to all charges of a request, in their order; of a request refused as `closed` only those. */
export type Rulings = readonly Ruling[];

export interface SwitchOptions {
  /** The feature's own mode; undefined follows the connection's. */
  readonly mode: BackendMode | undefined;
  readonly replicas: number;
  readonly canaryPercent: number;
}

/** Memory serves by choice, not because Redis is lost: no outage policy applies. */
const DELIBERATE: ReadonlySet<string | null> = new Set(['forced', 'configured', 'not_configured']);

/** What a refusal by the outage policy `closed` says: the breaker looks at Redis about once a second. */
const CLOSED: LimitVerdict = { allowed: false, remaining: 0, retryAfterMs: 1_000, resetAfterMs: 0, blocked: false };

/** Sends each decision to Redis or to this process, and applies the outage policies while Redis is lost. */
export class RateLimitSwitch {
  constructor(
    private readonly backend: Backend,
    private readonly redis: RateLimitStore,
    private readonly memory: RateLimitStore,
    private readonly options: SwitchOptions,
    /** Called when Redis failed for another reason than an outage. */
    private readonly onBug: (error: unknown) => void,
  ) {}

  /** Who serves now, in general: subjects of a canary or a ramp may differ. */
  get current(): BackendName {
    return this.options.mode === 'memory' ? 'memory' : this.backend.current;
  }

  /** Whether Redis ought to serve and does not. */
  get degraded(): boolean {
    return this.options.mode !== 'memory' && this.backend.current === 'memory' && !DELIBERATE.has(this.backend.reason);
  }

  /** At once where nobody has to be waited for: a promise costs as much as a decision in memory. */
  decide(charges: readonly Charge[], mode: DecideMode): Rulings | Promise<Rulings> {
    const places: Place[] = [];
    for (const charge of charges) places.push(this.#placeOf(charge, mode));
    try {
      const ruled = this.#decideAt(charges, places, mode);
      return 'then' in ruled ? ruled.catch((error) => this.#fallBack(error, charges, places, mode)) : ruled;
    } catch (error) {
      return this.#fallBack(error, charges, places, mode);
    }
  }

  #fallBack(
    error: unknown,
    charges: readonly Charge[],
    places: readonly Place[],
    mode: DecideMode,
  ): Rulings | Promise<Rulings> {
    if (!places.includes('redis')) throw error;
    // Whatever the reason, a limiter must not take the service down: a bug is reported and then treated as an outage.
    // A call that timed out may still be charged in Redis, which errs on the strict side.
    this.#report(error);
    const fallback = charges.map(({ limit }, i) => (places[i] === 'redis' ? outagePlace(limit) : places[i]!));
    return this.#decideAt(charges, fallback, mode);
  }

  /**
   * Charges what the costs say whether or not it fits, or gives back what is below zero: each limit for itself, where its
   * subject is decided now. Says where the subject stands then; an outage policy `open` or `closed` keeps no counts.
   */
  async adjust(charges: readonly Charge[]): Promise<readonly Ruling[]> {
    return Promise.all(
      charges.map(async (charge) => {
        const place = this.#placeOf(charge, 'consume');
        try {
          return await this.#adjustAt(charge, place);
        } catch (error) {
          if (place !== 'redis') throw error;
          this.#report(error);
          return this.#adjustAt(charge, outagePlace(charge.limit));
        }
      }),
    );
  }

  async #adjustAt(charge: Charge, place: Place): Promise<Ruling> {
    if (place === 'open') return { charge, quota: charge.quota, place, verdict: openVerdict(charge.quota) };
    if (place === 'closed') return { charge, quota: charge.quota, place, verdict: CLOSED };
    const request = this.#requestOf(charge, place);
    const [verdict] = await this[place].adjust([request]);
    return { charge, quota: request, place, verdict: verdict! };
  }

  #placeOf({ limit, quota, subject }: Charge, mode: DecideMode): Place {
    const { mode: wanted, canaryPercent } = this.options;
    // A limit of 0 refuses without counting: it needs nobody's help.
    if (wanted === 'memory' || quota.limit === 0) return 'memory';
    if (canaryPercent < 100 && shareOf(subject) >= canaryPercent) return 'memory';
    if (this.backend.choose(mode === 'peek' ? 'read' : 'write', subject) === 'redis') return 'redis';
    return DELIBERATE.has(this.backend.reason) ? 'memory' : outagePlace(limit);
  }

  #decideAt(charges: readonly Charge[], places: readonly Place[], mode: DecideMode): Rulings | Promise<Rulings> {
    const place = places[0]!;
    for (const each of places) if (each !== place) return this.#decideApart(charges, places, mode);
    if (place !== 'redis' && place !== 'memory') return this.#decideApart(charges, places, mode);
    return this.#decideTogether(charges, place, mode);
  }

  /** The rule: one store decides all. */
  #decideTogether(charges: readonly Charge[], place: BackendName, mode: DecideMode): Rulings | Promise<Rulings> {
    const requests: LimitRequest[] = [];
    for (const charge of charges) requests.push(this.#requestOf(charge, place));
    const known = this[place].decideNow(requests, mode);
    if (known !== undefined) return rulingsOf(charges, requests, place, known);
    return this[place].decide(requests, mode).then((verdict) => rulingsOf(charges, requests, place, verdict));
  }

  /** The exception: during an outage, a canary or a ramp. */
  async #decideApart(charges: readonly Charge[], places: readonly Place[], mode: DecideMode): Promise<Rulings> {
    if (places.includes('closed')) {
      const closed = charges.filter((_, i) => places[i] === 'closed');
      return closed.map((charge) => ({ charge, quota: charge.quota, place: 'closed', verdict: CLOSED }));
    }
    const at = (place: Place, store: BackendName) =>
      charges.filter((_, i) => places[i] === place).map((charge) => this.#requestOf(charge, store));
    const requests = { redis: at('redis', 'redis'), memory: at('memory', 'memory') };
    const blocks = await this.#blocksAmong(at('open', 'memory'));
    const blocked = blocks.some((block) => block !== undefined);
    const verdicts = await this.#ask(requests.redis, requests.memory, blocked ? 'peek' : mode);
    return charges.map((charge, i) => {
      const place = places[i]!;
      if (place !== 'redis' && place !== 'memory') {
        return { charge, quota: charge.quota, place, verdict: blocks.shift() ?? openVerdict(charge.quota) };
      }
      return { charge, quota: requests[place].shift()!, place, verdict: verdicts[place].shift()! };
    });
  }

  async #ask(
    remote: readonly LimitRequest[],
    local: readonly LimitRequest[],
    mode: DecideMode,
  ): Promise<Record<BackendName, LimitVerdict[]>> {
    if (remote.length === 0 && local.length === 0) return { redis: [], memory: [] };
    if (remote.length === 0) return { redis: [], memory: [...(await this.memory.decide(local, mode)).limits] };
    if (local.length === 0) return { redis: [...(await this.redis.decide(remote, mode)).limits], memory: [] };
    // The subjects of one request are on different sides. The local ones are looked at first and charged last, so that
    // neither side is charged for what the other refuses; of two requests racing for the last local place one may be
    // charged in Redis for nothing, and neither passes beyond a limit.
    const seen = await this.memory.decide(local, 'peek');
    const { allowed, limits } = await this.redis.decide(remote, seen.allowed ? mode : 'peek');
    const charged = allowed && seen.allowed && mode === 'consume' ? await this.memory.decide(local, mode) : seen;
    return { redis: [...limits], memory: [...charged.limits] };
  }

  /** Who was blocked stays so, although nobody counts. */
  async #blocksAmong(open: readonly LimitRequest[]): Promise<(LimitVerdict | undefined)[]> {
    if (open.length === 0) return [];
    const { limits } = await this.memory.decide(open, 'peek');
    return limits.map((verdict) => (verdict.blocked ? verdict : undefined));
  }

  #requestOf({ limit, quota, subject, key, cost, hold }: Charge, place: BackendName): LimitRequest {
    const { block } = limit;
    return {
      key: key ?? limit.keys.of(subject),
      algorithm: limit.algorithm,
      limit: place === 'memory' ? this.#shareOf(quota) : quota.limit,
      windowUs: quota.windowUs,
      cost,
      hold,
      block: block && { ...block, violations: limit.keys.violations(subject) },
    };
  }

  /** What one of several processes may grant alone. */
  #shareOf({ limit }: Quota): number {
    return Math.ceil(limit / this.options.replicas);
  }

  #report(error: unknown): void {
    if (!isRedisUnavailable(error)) this.onBug(error);
  }
}

function rulingsOf(
  charges: readonly Charge[],
  requests: readonly LimitRequest[],
  place: BackendName,
  { limits }: StoreVerdict,
): Rulings {
  const rulings: Ruling[] = [];
  for (let i = 0; i < charges.length; i++) {
    rulings.push({ charge: charges[i]!, quota: requests[i]!, place, verdict: limits[i]! });
  }
  return rulings;
}

function outagePlace({ outage }: Limit): Place {
  return outage === 'local' ? 'memory' : outage;
}

function openVerdict({ limit }: Quota): LimitVerdict {
  return { allowed: true, remaining: limit, retryAfterMs: 0, resetAfterMs: 0, blocked: false };
}
