import { isRedisUnavailable, servesByChoice, type Backend, type BackendMode, type BackendName } from '@roost/redis';
import type { HitLimit, HitLog, HitVerdict } from './hit-log.js';
import type { KnownRefusals } from './known-refusals.js';
import type { OutagePolicy } from '../throttle.options.js';
import type { ThrottlerSource } from './throttler.metrics.js';

export interface ThrottlerSwitchOptions {
  /** The module's own mode; undefined follows the connection's. */
  readonly backend: BackendMode | undefined;
  readonly outage: OutagePolicy;
  readonly replicas: number;
}

/** What the throttlers of a request said, and who spoke for them. */
export interface ThrottlerRuling {
  readonly source: ThrottlerSource;
  readonly verdicts: readonly HitVerdict[];
}

/** What a refusal by the outage policy `closed` says: the breaker looks at Redis about once a second. */
const CLOSED_MS = 1_000;

/** Sends each request to Redis or to this process, and applies the outage policy while Redis is lost. */
export class ThrottlerSwitch {
  constructor(
    private readonly backend: Backend,
    private readonly redis: HitLog,
    private readonly memory: HitLog,
    private readonly refusals: KnownRefusals,
    private readonly options: ThrottlerSwitchOptions,
    /** Called when Redis failed for another reason than an outage. */
    private readonly onBug: (error: unknown) => void,
  ) {}

  /** Who serves now, in general: while traffic ramps up after an outage, keys differ. */
  get current(): BackendName {
    return this.options.backend === 'memory' ? 'memory' : this.backend.current;
  }

  /** Whether Redis ought to serve and does not. */
  get degraded(): boolean {
    return this.options.backend !== 'memory' && this.backend.current === 'memory' && !servesByChoice(this.backend);
  }

  async decide(limits: readonly HitLimit[]): Promise<ThrottlerRuling> {
    if (this.options.backend === 'memory') return this.#here(limits);
    const known = this.refusals.find(limits);
    if (known) return { source: 'cache', verdicts: known };
    if (!limits.every(({ key }) => this.backend.choose('write', key.name) === 'redis')) {
      return servesByChoice(this.backend) ? this.#here(limits) : this.#withoutRedis(limits);
    }
    const askedAt = this.refusals.moment();
    try {
      const verdicts = await this.redis.decide(limits);
      if (verdicts.some(({ refused }) => refused)) this.refusals.add(limits, verdicts, askedAt);
      return { source: 'redis', verdicts };
    } catch (error) {
      // Whatever the reason, a limiter must not take the service down: a bug is reported and then treated as an outage.
      // A call that timed out may still be counted in Redis, which errs on the strict side.
      if (!isRedisUnavailable(error)) this.onBug(error);
      return this.#withoutRedis(limits);
    }
  }

  #withoutRedis(limits: readonly HitLimit[]): ThrottlerRuling | Promise<ThrottlerRuling> {
    const { outage } = this.options;
    if (outage === 'local') return this.#here(limits);
    return { source: outage, verdicts: limits.map((limit) => uncounted(limit, outage === 'closed')) };
  }

  async #here(limits: readonly HitLimit[]): Promise<ThrottlerRuling> {
    const { replicas } = this.options;
    if (replicas === 1) return { source: 'memory', verdicts: await this.memory.decide(limits) };
    const shares = limits.map((each) => ({ ...each, limit: Math.ceil(each.limit / replicas) }));
    const verdicts = await this.memory.decide(shares);
    // The rest of the limit is told as used: what remains is this process' share.
    const elsewhere = (i: number) => limits[i]!.limit - shares[i]!.limit;
    return { source: 'memory', verdicts: verdicts.map((each, i) => ({ ...each, hits: each.hits + elsewhere(i) })) };
  }
}

function uncounted({ limit }: HitLimit, refused: boolean): HitVerdict {
  return {
    refused,
    hits: refused ? limit + 1 : 0,
    expiresMs: null,
    retryMs: refused ? CLOSED_MS : 0,
    nextMs: null,
  };
}
