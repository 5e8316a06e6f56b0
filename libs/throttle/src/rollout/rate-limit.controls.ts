import type { LimitMode } from '../throttle.options.js';

/** A limit that was changed while running; what is missing is as configured. */
export interface LimitChange {
  readonly limit: number;
  readonly windowUs?: number;
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** What decisions obey at the moment beyond the options. One for each application; `RateLimitRollout` turns it. */
export class RateLimitControls {
  /** Whether all requests pass uncounted. */
  paused = false;
  /** By the names of limits, as are `changes`. */
  modes: ReadonlyMap<string, LimitMode> = NONE;
  changes: ReadonlyMap<string, LimitChange> = NONE;
  /** Whether any of the above differs from the options. */
  turned = false;

  constructor(/** The percentage of subjects that Redis decides. */ public canaryPercent: number) {}
}
