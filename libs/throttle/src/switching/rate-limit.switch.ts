import { isRedisUnavailable, RedisTimeoutError, servesByChoice, shareOf, type BackendName } from '@roost/redis';
import type { Quota } from '../algorithms/algorithm.js';
import type { Limit } from '../policies/limit.js';
import type { DecideMode, LimitRequest, LimitVerdict, StoreVerdict } from '../stores/rate-limit.store.js';
import { askEach } from './ask-each.js';
import { askStore } from './ask-store.js';
import type { SwitchParts } from './rate-limit.switch-parts.js';
import { keyOf, type Charge, type CountingPlace, type Place, type Ruling, type Rulings } from './charge.js';

export type { Charge, Ruling, Rulings } from './charge.js';
export type { SwitchParts, SwitchSettings } from './rate-limit.switch-parts.js';

/** What to make of the answers; `tookMs` is how long they had to be waited for, if they had to be. */
type Conclude<T> = (rulings: Rulings, tookMs?: number) => T;

/** What a refusal by the outage policy `closed` says: the breaker looks at Redis about once a second. */
const CLOSED: LimitVerdict = { allowed: false, remaining: 0, retryAfterMs: 1_000, resetAfterMs: 0, blocked: false };

/** Sends each decision to Redis or to this process, and applies the outage policies while Redis is lost. */
export class RateLimitSwitch {
  constructor(private readonly parts: SwitchParts) {}

  /** Who serves now, in general: subjects of a canary or a ramp may differ. */
  get current(): BackendName {
    return this.parts.settings.mode === 'memory' ? 'memory' : this.parts.backend.current;
  }

  /** Whether Redis ought to serve and does not. */
  get degraded(): boolean {
    const { settings, backend } = this.parts;
    return settings.mode !== 'memory' && backend.current === 'memory' && !servesByChoice(backend);
  }

  /**
   * What is concluded from the answers about what is enforced; limits in trial are counted beside, and nobody waits for
   * them. At once where nobody has to be waited for, else after one promise, since each costs as much as a decision in
   * memory.
   */
  decide<T>(charges: readonly Charge[], mode: DecideMode, conclude: Conclude<T>): T | Promise<T> {
    const { staging } = this.parts;
    if (staging.isPlain(charges)) return this.#decide(charges, mode, conclude);
    const { enforced, shadows } = staging.stage(charges, mode === 'consume');
    const decided = this.#decide(enforced, mode, conclude);
    if (mode === 'consume') for (const shadow of shadows) void this.#try(shadow);
    return decided;
  }

  async #try(shadow: Charge): Promise<void> {
    try {
      const allowed = await this.#decide([shadow], 'consume', ([ruling]) => ruling!.verdict.allowed);
      if (!allowed) this.parts.onWouldReject(shadow.limit.name);
    } catch (error) {
      this.parts.onBug(error); // a trial is nobody's failure
    }
  }

  /** The rule is one place for all of a request; during an outage, a canary or a ramp they may be several. */
  #decide<T>(charges: readonly Charge[], mode: DecideMode, conclude: Conclude<T>): T | Promise<T> {
    const [first] = charges;
    if (first === undefined) return conclude([]);
    const place = this.#placeOf(first, mode);
    const places: Place[] = [place];
    let together = place !== 'open' && place !== 'closed';
    for (let i = 1; i < charges.length; i++) {
      const each = this.#placeOf(charges[i]!, mode);
      places.push(each);
      together &&= each === place;
    }
    if (together) return this.#decideTogether(charges, place as CountingPlace, mode, conclude);
    return this.#decideApart(charges, places, mode, false)
      .catch((error) => this.#fallBack(error, charges, places, mode))
      .then(conclude);
  }

  /** Whatever the reason, a limiter must not take the service down: a bug is reported and then treated as an outage. */
  #fallBack(
    error: unknown,
    charges: readonly Charge[],
    places: readonly Place[],
    mode: DecideMode,
  ): Rulings | Promise<Rulings> {
    if (!places.includes('redis')) throw error;
    const { onBug, onChecked } = this.parts;
    const unavailable = isRedisUnavailable(error);
    if (!unavailable) onBug(error);
    if (error instanceof RedisTimeoutError) onChecked(Infinity);
    const fallback = charges.map(({ limit }, i) => (places[i] === 'redis' ? outagePlace(limit) : places[i]!));
    return this.#decideApart(charges, fallback, mode, unavailable && error.outcomeUnknown);
  }

  /**
   * Charges what the costs say whether or not it fits, or gives back what is below zero: each limit for itself, where its
   * subject is decided now. Says where the subject stands then; an outage policy `open` or `closed` keeps no counts.
   */
  async adjust(charges: readonly Charge[]): Promise<Rulings> {
    const { staging, onBug } = this.parts;
    return Promise.all(
      staging.stage(charges, false).enforced.map(async (charge) => {
        const place = this.#placeOf(charge, 'consume');
        try {
          return await this.#adjustAt(charge, place);
        } catch (error) {
          if (place !== 'redis') throw error;
          if (!isRedisUnavailable(error)) onBug(error);
          return this.#adjustAt(charge, outagePlace(charge.limit));
        }
      }),
    );
  }

  async #adjustAt(charge: Charge, place: Place): Promise<Ruling> {
    if (place === 'open') return { charge, quota: charge.quota, place, verdict: openVerdict(charge.quota) };
    if (place === 'closed') return { charge, quota: charge.quota, place, verdict: CLOSED };
    const request = this.#requestOf(charge, place);
    const [verdict] = await this.parts.stores[place].adjust([request]);
    if (place === 'insurance' && charge.cost > 0) this.parts.onGranted(request, charge.quota, false);
    return { charge, quota: request, place, verdict: verdict! };
  }

  #placeOf({ limit, quota, subject }: Charge, mode: DecideMode): Place {
    const { settings, backend } = this.parts;
    // A limit of 0 refuses without counting: it needs nobody's help.
    if (settings.mode === 'memory' || quota.limit === 0 || backend.configured === false) return 'memory';
    const { canaryPercent } = settings;
    if (canaryPercent < 100 && shareOf(subject) >= canaryPercent) return 'memory';
    if (backend.choose(mode === 'peek' ? 'read' : 'write', subject) === 'redis') return 'redis';
    return servesByChoice(backend) ? 'memory' : outagePlace(limit);
  }

  #decideTogether<T>(
    charges: readonly Charge[],
    place: CountingPlace,
    mode: DecideMode,
    conclude: Conclude<T>,
  ): T | Promise<T> {
    const requests: LimitRequest[] = [];
    for (const charge of charges) requests.push(this.#requestOf(charge, place));
    const asked = askStore(this.parts.stores[place], requests, mode);
    if (!('then' in asked)) return conclude(this.#rulingsOf(charges, requests, place, asked, mode));
    const startedAt = performance.now();
    return asked.then(
      (verdict) => {
        const tookMs = performance.now() - startedAt;
        if (place === 'redis') this.parts.onChecked(tookMs);
        return conclude(this.#rulingsOf(charges, requests, place, verdict, mode), tookMs);
      },
      async (error) => {
        const places = charges.map(() => place);
        return conclude(await this.#fallBack(error, charges, places, mode), performance.now() - startedAt);
      },
    );
  }

  #rulingsOf(
    charges: readonly Charge[],
    requests: readonly LimitRequest[],
    place: CountingPlace,
    { allowed, limits, only }: StoreVerdict,
    mode: DecideMode,
  ): Rulings {
    const rulings: Ruling[] = [];
    for (let at = 0; at < limits.length; at++) {
      const i = only === undefined ? at : only[at]!;
      rulings.push({ charge: charges[i]!, quota: requests[i]!, place, verdict: limits[at]! });
    }
    if (place === 'insurance' && allowed && mode === 'consume') this.#owe(rulings, false);
    return rulings;
  }

  async #decideApart(
    charges: readonly Charge[],
    places: readonly Place[],
    mode: DecideMode,
    unsure: boolean,
  ): Promise<Rulings> {
    if (places.includes('closed')) {
      const closed = charges.filter((_, i) => places[i] === 'closed');
      return closed.map((charge) => ({ charge, quota: charge.quota, place: 'closed', verdict: CLOSED }));
    }
    const at = (place: Place, store: CountingPlace) =>
      charges.filter((_, i) => places[i] === place).map((charge) => this.#requestOf(charge, store));
    const requests = {
      redis: at('redis', 'redis'),
      memory: at('memory', 'memory'),
      insurance: at('insurance', 'insurance'),
    };
    const blocks = await this.#blocksAmong(at('open', 'insurance'));
    const blocked = blocks.some((block) => block !== undefined);
    const { allowed, verdicts } = await askEach(requests, blocked ? 'peek' : mode, this.parts);
    const rulings = charges.flatMap((charge, i): Ruling | [] => {
      const place = places[i]!;
      if (place === 'open' || place === 'closed') {
        return { charge, quota: charge.quota, place, verdict: blocks.shift() ?? openVerdict(charge.quota) };
      }
      const [quota, verdict] = [requests[place].shift()!, verdicts[place].shift()];
      return verdict ? { charge, quota, place, verdict } : [];
    });
    if (allowed && !blocked && mode === 'consume') this.#owe(rulings, unsure);
    return rulings;
  }

  /** Who was blocked stays so, although nobody counts. */
  async #blocksAmong(open: readonly LimitRequest[]): Promise<(LimitVerdict | undefined)[]> {
    if (open.length === 0) return [];
    const { limits } = await this.parts.stores.insurance.decide(open, 'peek');
    return limits.map((verdict) => (verdict.blocked ? verdict : undefined));
  }

  #requestOf(charge: Charge, place: CountingPlace): LimitRequest {
    const { limit, quota, subject, cost, hold } = charge;
    const { block } = limit;
    return {
      key: keyOf(charge),
      algorithm: limit.algorithm,
      limit: place === 'redis' ? quota.limit : this.#shareOf(quota),
      windowUs: quota.windowUs,
      calendar: quota.calendar,
      cost,
      hold,
      lease: limit.lease,
      block: block && { ...block, violations: limit.keys.violations(subject) },
    };
  }

  /** What one of several processes may grant alone. */
  #shareOf({ limit }: Quota): number {
    return Math.ceil(limit / this.parts.settings.replicas);
  }

  #owe(rulings: Rulings, unsure: boolean): void {
    for (const { charge, quota, place } of rulings) {
      if (place === 'insurance') this.parts.onGranted(quota as LimitRequest, charge.quota, unsure);
    }
  }
}

function outagePlace({ outage }: Limit): Place {
  return outage === 'local' ? 'insurance' : outage;
}

function openVerdict({ limit }: Quota): LimitVerdict {
  return { allowed: true, remaining: limit, retryAfterMs: 0, resetAfterMs: 0, blocked: false };
}
