import { neverFits } from '../algorithms/algorithm.js';
import { algorithms, verdictOf } from '../algorithms/verdict.js';
import { fixedWindowAt } from '../algorithms/windows.js';
import type { LimitRequest, LimitVerdict, StoreVerdict } from '../stores/rate-limit.store.js';

/** No level is this low: the capacity for a request that cannot fit, however long it waits. */
const NEVER = -1;

/** What decisions have in common that ask the same of different subjects: the algorithms, quotas and costs. */
export class Shape {
  /** For the script: how many limits, then per limit window (µs; 0 for gcra), need and capacity. */
  readonly numbers: readonly number[];
  /** Where it stands in the call that is being put together. */
  index = 0;

  constructor(private readonly limits: readonly LimitRequest[]) {
    const numbers = [limits.length];
    for (const limit of limits) {
      const unit = algorithms[limit.algorithm].unit(limit);
      const window = limit.algorithm === 'gcra' ? 0 : limit.windowUs;
      if (neverFits(limit, limit.cost)) numbers.push(window, 0, NEVER);
      else numbers.push(window, limit.cost * unit, limit.limit * unit);
    }
    this.numbers = numbers;
  }

  /** Whether it is one limit, and that of gcra. */
  get isOneGcra(): boolean {
    return this.limits.length === 1 && this.limits[0]!.algorithm === 'gcra';
  }

  is(others: readonly LimitRequest[]): boolean {
    const { limits } = this;
    if (limits.length !== others.length) return false;
    for (let i = 0; i < others.length; i++) if (!alike(limits[i]!, others[i]!)) return false;
    return true;
  }

  /** The verdict about one decision: what the limits had used before it, and whether it was charged. */
  verdict(used: readonly number[], allowed: boolean, nowUs: number): StoreVerdict {
    return { allowed, limits: this.limits.map((limit, i) => said(limit, used[i]!, allowed, nowUs)) };
  }

  /** What `times` admitted decisions take of a limit. */
  taken(limit: number, times: number): number {
    return this.numbers[3 * limit + 2]! * times;
  }
}

/** What was used of a plain limit at a moment, as its algorithm takes it. */
export function snapshotOf({ algorithm, windowUs }: LimitRequest, used: number, nowUs: number): unknown {
  const endsInUs = algorithm === 'gcra' ? 0 : fixedWindowAt(windowUs, nowUs).endsUs - nowUs;
  return algorithms[algorithm].told(used, endsInUs, 0);
}

function said(limit: LimitRequest, used: number, charged: boolean, nowUs: number): LimitVerdict {
  const { cost } = limit;
  const algorithm = algorithms[limit.algorithm];
  const before = snapshotOf(limit, used, nowUs);
  const fits = charged || (!neverFits(limit, cost) && algorithm.fits(before, limit, cost, nowUs));
  const after = charged && cost > 0 ? algorithm.charged(before, limit, cost) : before;
  return verdictOf(algorithm, after, limit, cost, nowUs, fits);
}

function alike(one: LimitRequest, other: LimitRequest): boolean {
  return (
    one.limit === other.limit &&
    one.cost === other.cost &&
    one.windowUs === other.windowUs &&
    one.algorithm === other.algorithm
  );
}
