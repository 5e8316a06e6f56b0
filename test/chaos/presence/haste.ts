import type { Edit } from '../mutant.js';

/** How long users of the hasty service are waited for, in ms. */
export const HASTY_MS = 2_000;
/** How long those of the service as it is. */
export const USUAL_MS = 10_000;

/** The service as it is, but for how long users are waited for: with its own time a short run would be a long one. */
export const HASTE: readonly Edit[] = [
  { file: 'presence.config.js', find: "goneAfter: '10s'", put: "goneAfter: '2s'" },
];
