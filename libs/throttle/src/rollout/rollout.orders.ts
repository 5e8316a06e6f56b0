import { toMs, type Duration } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import { quotaProblem } from '../policies/limit.js';
import { modeProblems } from '../policies/limit-mode.js';
import type { LimitMode } from '../throttle.options.js';
import type { LimitChange } from './rate-limit.controls.js';

/**
 * What operators have changed, by name, as it is kept in Redis: `paused`, `canary`, `mode:<limit>` and `limit:<limit>`.
 * Whatever is not there is as configured. Every process writes only what it changes.
 */
export type Orders = Readonly<Record<string, unknown>>;

/** A percentage, and who gave it: the same one given again is an order, too, since it ends a stop-loss. */
export interface CanaryOrder {
  readonly percent: number;
  readonly id: string;
}

/** {@link Orders} that were understood. */
export interface ReadOrders {
  readonly paused: boolean;
  readonly canary: CanaryOrder | undefined;
  readonly modes: ReadonlyMap<string, LimitMode>;
  readonly changes: ReadonlyMap<string, LimitChange>;
}

/** Orders and changes of them together; `null` takes one back. */
export function changed(orders: Orders, changes: Orders): Orders {
  return Object.fromEntries(Object.entries({ ...orders, ...changes }).filter(([, order]) => order !== null));
}

/** Understands what another process, perhaps of another version, wrote: what is wrong is told and left out. */
export function readOrders(orders: Orders, problems: string[]): ReadOrders {
  const modes = new Map<string, LimitMode>();
  const changes = new Map<string, LimitChange>();
  let paused = false;
  let canary: CanaryOrder | undefined;
  for (const [name, order] of Object.entries(orders)) {
    const [kind, limit] = split(name);
    if (kind === 'paused') paused = order === true;
    else if (kind === 'canary' && isPercent((order as CanaryOrder | null)?.percent)) canary = order as CanaryOrder;
    else if (kind === 'mode' && modeProblems({ mode: order as LimitMode }).length === 0) {
      modes.set(limit, order as LimitMode);
    } else if (kind === 'limit' && isChange(order)) changes.set(limit, order);
    else problems.push(name);
  }
  return { paused, canary, modes, changes };
}

/** Whether it is a percentage. */
export function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100;
}

/** Reads a new limit. @throws RangeError with what is wrong with it */
export function changeOf(
  { limit, window }: { readonly limit: number; readonly window?: Duration },
  { windowUs }: Quota,
  algorithm: AlgorithmName,
): LimitChange {
  const quota = { limit, windowUs: window === undefined ? windowUs : toMs(window) * 1_000 };
  const problem = quotaProblem(quota, algorithm);
  if (problem) throw new RangeError(problem);
  return window === undefined ? { limit } : quota;
}

function isChange(order: unknown): order is LimitChange {
  if (typeof order !== 'object' || order === null) return false;
  const { limit, windowUs } = order as LimitChange;
  // Whole milliseconds, as sliding-window counts.
  if (windowUs !== undefined && !(Number.isSafeInteger(windowUs) && windowUs > 0 && windowUs % 1_000 === 0))
    return false;
  return quotaProblem({ limit, windowUs: windowUs ?? limit }) === undefined;
}

function split(name: string): [kind: string, limit: string] {
  const colon = name.indexOf(':');
  return colon < 0 ? [name, ''] : [name.slice(0, colon), name.slice(colon + 1)];
}
