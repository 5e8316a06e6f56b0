import type { Settlement } from './rate-limit.store.js';

/** What a held charge took too much or too little, in the unit of its limit. */
export interface Difference {
  readonly refund: number;
  readonly extra: number;
}

export function differenceOf({ held, cost }: Settlement, unit: number): Difference {
  // Nothing stays: then all of it goes, also when the limit was another one when it was charged.
  if (cost === 0) return { refund: Number.MAX_SAFE_INTEGER, extra: 0 };
  return cost <= held ? { refund: (held - cost) * unit, extra: 0 } : { refund: 0, extra: (cost - held) * unit };
}
