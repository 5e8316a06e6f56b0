import { algorithms } from '../algorithms/verdict.js';
import { fixedWindowAt } from '../algorithms/windows.js';
import { amountsOf, verdictAfter } from '../stores/amounts.js';
import type { LimitRequest, StoreVerdict } from '../stores/rate-limit.store.js';

/** What decisions have in common that ask the same of different subjects: the algorithms, quotas and costs. */
export class Shape {
  /** For the script: how many limits, then per limit window (µs; 0 for gcra), need and capacity. */
  readonly numbers: readonly number[];
  /** Where it stands in the call that is being put together. */
  index = 0;

  constructor(private readonly limits: readonly LimitRequest[]) {
    const numbers = [limits.length];
    for (const limit of limits) {
      numbers.push(limit.algorithm === 'gcra' ? 0 : limit.windowUs, ...amountsOf(limit));
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
    const said = (limit: LimitRequest, i: number) =>
      verdictAfter(limit, snapshotOf(limit, used[i]!, nowUs), allowed, nowUs);
    return { allowed, limits: this.limits.map(said) };
  }

  /** What `times` admitted decisions take of a limit. */
  taken(limit: number, times: number): number {
    return this.numbers[3 * limit + 2]! * times;
  }
}

/** Whether a limit keeps nothing but a count, so that all of a request can be said by a quota and a cost. */
export function isPlain({ algorithm, hold, block }: LimitRequest): boolean {
  return (algorithm === 'gcra' || algorithm === 'fixed-window') && hold === undefined && block === undefined;
}

/** What was used of a plain limit at a moment, as its algorithm takes it. */
export function snapshotOf({ algorithm, windowUs }: LimitRequest, used: number, nowUs: number): unknown {
  const endsInUs = algorithm === 'gcra' ? 0 : fixedWindowAt(windowUs, nowUs).endsUs - nowUs;
  return algorithms[algorithm].told(used, endsInUs, 0);
}

function alike(one: LimitRequest, other: LimitRequest): boolean {
  return (
    one.limit === other.limit &&
    one.cost === other.cost &&
    one.windowUs === other.windowUs &&
    one.algorithm === other.algorithm
  );
}
