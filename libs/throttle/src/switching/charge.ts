import type { BackendName, Key } from '@roost/redis';
import type { Quota } from '../algorithms/algorithm.js';
import type { Limit } from '../policies/limit.js';
import type { Hold, LimitVerdict } from '../stores/rate-limit.store.js';

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

/** Where a charge is counted. */
export function keyOf({ limit, subject, key }: Charge): Key {
  return key ?? limit.keys.of(subject);
}

/** Where something is counted: Redis, this process by choice, or this process because Redis is lost. */
export type CountingPlace = BackendName | 'insurance';

/** Who decides about one charge. */
export type Place = CountingPlace | 'open' | 'closed';

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
