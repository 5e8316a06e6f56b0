import type { AlgorithmName } from '../algorithms/algorithm.js';
import type { Ask } from './bench.js';

/** A window of about so long; of the calendar it is a day of UTC. */
export function windowOf(algorithm: AlgorithmName, windowMs: number): Pick<Ask, 'windowMs' | 'calendar'> {
  return algorithm === 'calendar' ? { windowMs: 86_400_000, calendar: { unit: 'day', timeZone: 'UTC' } } : { windowMs };
}
