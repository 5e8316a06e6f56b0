import { neverFits } from '../algorithms/algorithm.js';
import { algorithms, verdictOf } from '../algorithms/verdict.js';
import type { LimitRequest, LimitVerdict } from './rate-limit.store.js';

/** No level is this low: the capacity for a request that cannot fit, however long it waits. */
const NEVER = -1;

/** What scripts are told: what the request needs, and how full the limit may be with it. */
export function amountsOf(request: LimitRequest): [need: number, capacity: number] {
  const unit = algorithms[request.algorithm].unit(request);
  if (neverFits(request, request.cost)) return [0, NEVER];
  return [request.cost * unit, request.limit * unit];
}

/** What a limit says of which a script told how it was before the request, and whether that was charged. */
export function verdictAfter(request: LimitRequest, before: unknown, charged: boolean, nowUs: number): LimitVerdict {
  const { cost } = request;
  const algorithm = algorithms[request.algorithm];
  const fits = charged || (!neverFits(request, cost) && algorithm.fits(before, request, cost, nowUs));
  const after = charged && cost > 0 ? algorithm.charged(before, request, cost) : before;
  return verdictOf(algorithm, after, request, cost, nowUs, fits);
}
