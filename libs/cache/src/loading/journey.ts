import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Loader } from '../cache.options.js';
import type { Slot } from '../cache.keys.js';
import type { CacheMetrics } from '../cache.metrics.js';
import type { Plan } from '../cache.plan.js';
import type { Changes } from '../near/changes.js';
import type { ServerClock } from '../near/server-clock.js';
import type { TagVersions } from '../near/tag-versions.js';
import type { Reader, Seen } from '../reader.js';
import type { CacheStore } from '../stores/cache.store.js';
import type { Held } from '../values/held.js';
import type { Writer } from '../values/writer.js';

/** A load that some code was begun by. */
export interface Underway {
  readonly journey: Journey;
  /** Whether its loader runs. */
  readonly loading: boolean;
}

/** What flights stand on. */
export interface FlightParts {
  readonly store: CacheStore;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly metrics: CacheMetrics;
  readonly leaseMs: number;
  /** Takes in that the store failed: an outage is known elsewhere, anything else is a bug. */
  readonly report: (error: unknown) => void;
  /** The loads that this code is part of, or was. */
  readonly around: AsyncLocalStorage<readonly Underway[]>;
}

/** What is to be loaded, and how. */
export interface Journey {
  readonly key: string;
  readonly slot: Slot;
  readonly plan: Plan;
  readonly loader: Loader<unknown>;
  /** What was found before. */
  readonly seen: Seen;
  /** Without asking the store: it is away. */
  readonly alone: boolean;
  /** Nobody waits: a load of somebody else is as good. */
  readonly background: boolean;
}

/** How a load ended. */
export interface Landing {
  readonly value: unknown;
  /** What a hit would give; undefined for what cannot be stored. */
  readonly held: Held | undefined;
  readonly source: 'redis' | 'loader' | 'elsewhere';
  readonly stored: boolean;
}
