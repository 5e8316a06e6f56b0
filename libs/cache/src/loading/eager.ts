import type { Eager } from '../cache.plan.js';
import type { Held } from '../values/held.js';

/**
 * Whether a fresh value is to be loaded anew already. By `share`: after that part of its lifetime. By `beta`: with probability
 * exp(-rest / (beta × load time)), so that of many who ask one goes ahead in time (XFetch: Vattani, Chierichetti, Lowenstein,
 * "Optimal probabilistic cache stampede prevention", VLDB 2015).
 */
export function isDue(eager: Eager, held: Held, now: number, random: () => number = Math.random): boolean {
  const restMs = held.freshUntil - now;
  if ('share' in eager) return restMs <= (1 - eager.share) * (held.freshUntil - held.loadedAt);
  return held.loadMs * eager.beta * -Math.log(1 - random()) >= restMs; // 1 - random() is never 0
}
