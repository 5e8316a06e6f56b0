import type { Backend, BackendMode } from '@roost/redis';
import type { Quota } from '../algorithms/algorithm.js';
import type { RateLimitStaging } from '../rollout/rate-limit.staging.js';
import type { LimitRequest, RateLimitStore } from '../stores/rate-limit.store.js';
import type { CountingPlace } from './charge.js';

/** The stores by what they are for. */
type Stores = Readonly<Record<CountingPlace, RateLimitStore>>;

/** What the switch obeys; read at each decision, since most of it can be changed while running. */
export interface SwitchSettings {
  /** The feature's own mode; undefined follows the connection's. */
  readonly mode: BackendMode | undefined;
  readonly replicas: number;
  readonly canaryPercent: number;
}

/** What the switch works with. */
export interface SwitchParts {
  readonly backend: Backend;
  /** `insurance` serves while Redis is lost; apart from `memory`, which serves by choice, because it owes Redis what it grants. */
  readonly stores: Stores;
  readonly settings: SwitchSettings;
  readonly staging: RateLimitStaging;
  /** Called with each request that the insurance granted: `unsure` when Redis may have charged it, too. */
  readonly onGranted: (request: LimitRequest, quota: Quota, unsure: boolean) => void;
  /** Called with the time of each check in Redis, `Infinity` when it was given up. */
  readonly onChecked: (ms: number) => void;
  /** Called for each limit in trial that would have refused. */
  readonly onWouldReject: (limit: string) => void;
  /** Called when Redis failed for another reason than an outage. */
  readonly onBug: (error: unknown) => void;
}
