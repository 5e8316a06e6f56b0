import type { BackendName } from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import type { Settlement } from '../stores/rate-limit.store.js';
import type { Ruling } from './rate-limit.switch.js';

/** A charge that waits to be settled, where it was decided. */
export interface HeldCharge {
  readonly limit: Limit;
  readonly place: BackendName;
  /** Its cost is what is held. */
  readonly settlement: Settlement;
}

/** What a ruling holds; nothing where nobody counts. */
export function heldBy({ charge, place, quota }: Ruling): HeldCharge | undefined {
  const { limit, subject, key = limit.keys.of(subject), cost, hold } = charge;
  if (hold === undefined || (place !== 'redis' && place !== 'memory')) return undefined;
  const { limit: most, windowUs } = quota;
  const settlement = { key, algorithm: limit.algorithm, limit: most, windowUs, holdId: hold.id, held: cost, cost };
  return { limit, place, settlement };
}
