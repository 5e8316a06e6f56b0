import type { Limit } from '../policies/limit.js';
import type { Settlement } from '../stores/rate-limit.store.js';
import { keyOf, type CountingPlace, type Ruling } from './charge.js';

/** A charge that waits to be settled, where it was decided. */
export interface HeldCharge {
  readonly limit: Limit;
  readonly place: CountingPlace;
  /** Its cost is what is held. */
  readonly settlement: Settlement;
}

/** What a ruling holds; nothing where nobody counts. */
export function heldBy({ charge, place, quota }: Ruling): HeldCharge | undefined {
  const { limit, cost, hold } = charge;
  if (hold === undefined || place === 'open' || place === 'closed') return undefined;
  const { limit: most, windowUs, calendar } = quota;
  const { algorithm } = limit;
  const settlement = {
    key: keyOf(charge),
    algorithm,
    limit: most,
    windowUs,
    calendar,
    holdId: hold.id,
    held: cost,
    cost,
  };
  return { limit, place, settlement };
}
