import { shareOf, toMs, type Duration } from '@roost/redis';
import { isPercent, type SessionConfig } from '../session.config.js';
import { InvalidSessionCallError } from '../session.errors.js';
import { killKeyOf, LONGEST_TTL, overrideKeyOf, rolloutKeyOf } from '../session.keys.js';
import type { SessionMetrics } from '../session.metrics.js';
import type { KnownValue, KnownValues } from './known-values.js';

/** How long what is said at run time holds. */
export interface FeatureTtl {
  /** Up to 90 days. @default '24h' */
  readonly ttl?: Duration;
}

/** Whether a feature is on for somebody, and why. */
export interface FeatureState {
  readonly on: boolean;
  readonly because: 'killed' | 'override' | 'rollout' | 'default';
  /** Redis is lost, and this is what was known last. */
  readonly stale: boolean;
}

const DAY_MS = 86_400_000;

/**
 * Which features are on for whom. What is said at run time ends by itself, after a day by default: then the percentage in the
 * module's options holds again. Asking never fails: while Redis is lost, what was known last holds to its end.
 */
export class FeatureFlags {
  /** @internal Made by `SessionModule`. */
  constructor(
    private readonly values: KnownValues,
    private readonly config: Pick<SessionConfig, 'features'>,
    private readonly metrics: SessionMetrics,
  ) {}

  /** Whether it is on for the user, by the first that says so: a kill, an override, a rollout, the options. */
  async isOn(feature: string, userId: string): Promise<boolean> {
    return (await this.explain(feature, userId)).on;
  }

  async explain(feature: string, userId: string): Promise<FeatureState> {
    const keys = [killKeyOf(feature), overrideKeyOf(feature, userId), rolloutKeyOf(feature)];
    const [kill, override, rollout] = (await Promise.all(keys.map((key) => this.values.get(key)))) as [
      KnownValue,
      KnownValue,
      KnownValue,
    ];
    const stale = kill.stale || override.stale || rollout.stale;
    if (stale) this.metrics.staleFeature();
    if (kill.value !== undefined) return { on: false, because: 'killed', stale };
    if (override.value !== undefined) return { on: override.value === 'on', because: 'override', stale };
    const percent = rollout.value === undefined ? (this.config.features.get(feature) ?? 0) : Number(rollout.value);
    const because = rollout.value === undefined ? 'default' : 'rollout';
    return { on: shareOf(JSON.stringify([feature, userId])) < percent, because, stale };
  }

  /** Turns it on or off for one user. @throws SessionUnavailableError */
  async override(feature: string, userId: string, on: boolean, { ttl }: FeatureTtl = {}): Promise<void> {
    await this.values.set(overrideKeyOf(feature, userId), on ? 'on' : 'off', msOf(ttl));
  }

  /** @throws SessionUnavailableError */
  async clearOverride(feature: string, userId: string): Promise<void> {
    await this.values.clear(overrideKeyOf(feature, userId));
  }

  /**
   * Turns it on for so many percent of all users, always the same ones: a greater percentage takes nobody out.
   * @throws SessionUnavailableError
   */
  async rollOut(feature: string, percent: number, { ttl }: FeatureTtl = {}): Promise<void> {
    if (!isPercent(percent)) throw new InvalidSessionCallError('Expected a percentage', percent);
    await this.values.set(rolloutKeyOf(feature), String(percent), msOf(ttl));
  }

  /** Lets the options decide again. @throws SessionUnavailableError */
  async clearRollOut(feature: string): Promise<void> {
    await this.values.clear(rolloutKeyOf(feature));
  }

  /** Turns it off for everybody until then, whatever else is said. @throws SessionUnavailableError */
  async killUntil(feature: string, until: Date): Promise<void> {
    const ttlMs = until.getTime() - Date.now();
    if (!(ttlMs > 0)) throw new InvalidSessionCallError('Expected a moment to come', until);
    await this.values.set(killKeyOf(feature), '1', msOf(Math.ceil(ttlMs)));
  }

  /** Takes a kill back. @throws SessionUnavailableError */
  async revive(feature: string): Promise<void> {
    await this.values.clear(killKeyOf(feature));
  }
}

function msOf(ttl: Duration = DAY_MS): number {
  const ms = toMs(ttl);
  if (ms > toMs(LONGEST_TTL)) throw new InvalidSessionCallError('Expected at most 90 days', ttl);
  return ms;
}
