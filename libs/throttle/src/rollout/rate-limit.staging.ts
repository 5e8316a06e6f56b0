import { shareOf } from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import { LimitKeys } from '../stores/rate-limit.keys.js';
import type { Charge } from '../switching/charge.js';
import type { LimitMode } from '../throttle.options.js';
import type { RateLimitControls } from './rate-limit.controls.js';

/** What is decided about a request, and what is only counted beside it. */
export interface Staged {
  readonly enforced: readonly Charge[];
  /** Under keys of their own, so that a trial never costs anybody a request. */
  readonly shadows: readonly Charge[];
}

/** Tells which limits are enforced, for whom and how high, where that is not what their options say. */
export class RateLimitStaging {
  readonly #shadows = new WeakMap<Limit, Limit>();

  constructor(
    private readonly controls: RateLimitControls,
    /** Called for each limit that a request passed uncounted, because all are paused. */
    private readonly onPaused: (limit: string) => void,
  ) {}

  /** Whether the charges are to be decided just as they are, which is the rule. */
  isPlain(charges: readonly Charge[]): boolean {
    if (this.controls.turned) return false;
    for (const { limit } of charges) if (limit.mode !== 'enforce') return false;
    return true;
  }

  stage(charges: readonly Charge[], counting: boolean): Staged {
    const { paused, modes, changes } = this.controls;
    const enforced: Charge[] = [];
    const shadows: Charge[] = [];
    for (const charge of charges) {
      const { name, mode } = charge.limit;
      if (paused) {
        if (counting) this.onPaused(name);
        continue;
      }
      const change = changes.get(name);
      const staged = change ? { ...charge, quota: { ...charge.quota, ...change } } : charge;
      if (isEnforced(modes.get(name) ?? mode, charge)) enforced.push(staged);
      else shadows.push({ ...staged, limit: this.shadowOf(charge.limit), key: undefined, hold: undefined });
    }
    return { enforced, shadows };
  }

  /** The same limit, counted under keys of its own. */
  shadowOf(limit: Limit): Limit {
    let shadow = this.#shadows.get(limit);
    // No limit has a tab in its name.
    if (!shadow) shadow = { ...limit, keys: new LimitKeys(limit.algorithm, `${limit.name}\tshadow`) };
    this.#shadows.set(limit, shadow);
    return shadow;
  }
}

function isEnforced(mode: LimitMode, { limit, subject }: Charge): boolean {
  if (mode === 'shadow') return false;
  if (typeof mode !== 'object') return true;
  // With the limit's name: else those that Redis decides first would also be those that are refused first.
  return shareOf(`${limit.name} ${subject}`) < mode.canary * 100;
}
