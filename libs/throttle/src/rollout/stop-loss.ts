import { show, toMs } from '@roost/redis';
import type { StopLossOptions } from '../throttle.options.js';

const DEFAULTS = { p95: '300ms', over: '1m' } as const satisfies StopLossOptions;
/** Fewer checks than this say nothing about a percentile. */
const MINIMUM_CHECKS = 20;
/** Parts of `over`: each of them that had checks must have been slow. */
const PARTS = 6;

/** {@link StopLossOptions} in milliseconds. */
export interface StopLossLimits {
  readonly p95Ms: number;
  readonly overMs: number;
}

/** Why and when Redis was given up for being slow. */
export interface StopLossTrip {
  readonly at: Date;
  readonly p95Ms: number;
  readonly overMs: number;
  /** How many checks were made in Redis since it is slow, and how many of them took `p95Ms` or longer. */
  readonly checks: number;
  readonly slow: number;
}

/** Reads the option; pushes what is wrong with it. */
export function resolveStopLoss(options: StopLossOptions | false | undefined, problems: string[]) {
  if (options === false) return undefined;
  const read = (name: keyof StopLossOptions): number => {
    try {
      return toMs(options?.[name] ?? DEFAULTS[name]);
    } catch (error) {
      problems.push(`\`stopLoss.${name}\`: ${(error as Error).message}`);
      return 1;
    }
  };
  if (options !== undefined && (typeof options !== 'object' || options === null || options.p95 === undefined)) {
    problems.push(`Expected \`stopLoss\` to be false or { p95, over? }, got ${show(options)}`);
    return undefined;
  }
  for (const name of Object.keys(options ?? {})) {
    if (!Object.hasOwn(DEFAULTS, name)) problems.push(`Unknown option \`stopLoss.${name}\``);
  }
  return { p95Ms: read('p95'), overMs: read('over') } satisfies StopLossLimits;
}

/**
 * Notices that checks in Redis have been slow for a while. The 95th percentile is at least `p95` exactly when more than
 * one check of twenty took that long, so two counters do where a histogram would. A call given up at its deadline is slow,
 * however short the deadline. Trips once, until `reset`: whoever decides by how slow something was when it was last
 * asked would have to ask it again, with the requests of users.
 */
export class StopLoss {
  #trip: StopLossTrip | undefined;
  #partEndsAt = -Infinity;
  #checks = 0;
  #slow = 0;
  /** Of the parts before this one, since all of them are slow. */
  #since = Infinity;
  #badChecks = 0;
  #badSlow = 0;

  constructor(
    private readonly limits: StopLossLimits | undefined,
    private readonly onTrip: (trip: StopLossTrip) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Why Redis is not asked any more, if it is not. */
  get trip(): StopLossTrip | undefined {
    return this.#trip;
  }

  /** A check in Redis took so long; `Infinity` when it was given up. */
  took(ms: number): void {
    if (this.limits === undefined) return;
    const now = this.now();
    if (now >= this.#partEndsAt) this.#nextPart(now, this.limits);
    this.#checks++;
    if (ms >= this.limits.p95Ms) this.#slow++;
  }

  /** Asks Redis again, as if nothing had been. */
  reset(): void {
    this.#trip = undefined;
    this.#partEndsAt = -Infinity;
    this.#checks = this.#slow = 0;
    this.#forgive();
  }

  #nextPart(now: number, { p95Ms, overMs }: StopLossLimits): void {
    const partMs = overMs / PARTS;
    const beganAt = this.#partEndsAt - partMs;
    if (now - this.#partEndsAt > overMs)
      this.#forgive(); // no checks for long: what was before says nothing
    else if (!isSlow(this.#checks, this.#slow)) this.#forgive();
    else {
      this.#since = Math.min(this.#since, beganAt);
      this.#badChecks += this.#checks;
      this.#badSlow += this.#slow;
      if (this.#partEndsAt - this.#since >= overMs && this.#badChecks >= MINIMUM_CHECKS && !this.#trip) {
        this.#trip = { at: new Date(), p95Ms, overMs, checks: this.#badChecks, slow: this.#badSlow };
        this.onTrip(this.#trip);
      }
    }
    this.#checks = this.#slow = 0;
    this.#partEndsAt = now + partMs;
  }

  #forgive(): void {
    this.#since = Infinity;
    this.#badChecks = this.#badSlow = 0;
  }
}

function isSlow(checks: number, slow: number): boolean {
  return slow * 20 > checks;
}
