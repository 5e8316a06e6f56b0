import type { Slot } from '../cache.keys.js';
import type { Loader } from '../cache.options.js';
import type { Plan } from '../cache.plan.js';
import type { Seen } from '../reader.js';
import type { TagVersion } from '../values/envelope.js';
import type { Held } from '../values/held.js';

/** A load that some code was begun by. */
export interface Underway {
  readonly journey: Journey;
  /** Whether its loader runs. */
  readonly loading: boolean;
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
  /** What a hit would give; undefined for what cannot be stored. */
  readonly held: Held | undefined;
  /** What was loaded and cannot be stored. */
  readonly value?: unknown;
  readonly source: 'redis' | 'loader' | 'elsewhere';
  readonly stored: boolean;
}

/** A lease that was given to a load, and what the load saw before it began. */
export interface Leased {
  readonly token: string;
  readonly seen: Buffer;
  readonly beganUs: number;
  readonly tags: readonly TagVersion[];
}

/** For how long a value of this plan, or its error, is kept at most. */
export function lifeOf(
  { ttlMs, negativeTtlMs, errorTtlMs, graceMs, jitter }: Plan,
  /** Of this value, where its load said so. */
  ownTtlMs = 0,
): number {
  return Math.max(Math.ceil(Math.max(ttlMs, negativeTtlMs ?? 0, ownTtlMs) * (1 + jitter)) + graceMs, errorTtlMs);
}
