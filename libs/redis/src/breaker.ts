import type { ErrorClass } from './error-class.js';

export type BreakerState = 'closed' | 'open' | 'ramping';

export interface BreakerOptions {
  /** Failures in a row that open the breaker. @default 5 */
  readonly consecutiveFailures: number;
  /** Share of failed (or slow) calls among at least `minimumCalls` in `windowMs` that opens it. @default 0.5 */
  readonly failureRatio: number;
  /** @default 20 */
  readonly minimumCalls: number;
  /** @default 10000 */
  readonly windowMs: number;
  /** A call that took longer counts as slow. @default 200 */
  readonly slowCallMs: number;
  /** Good probes in a row that end an outage. @default 3 */
  readonly goodProbes: number;
  /** The shortest outage; doubled for each one that begins within a minute of the last. @default 500 */
  readonly minimumOpenMs: number;
  /** What that doubling ends at. @default 5000 */
  readonly maximumOpenMs: number;
  /** How long each step of the ramp at return lasts. @default 500 */
  readonly rampStepMs: number;
}

export const BREAKER_DEFAULTS: BreakerOptions = {
  consecutiveFailures: 5,
  failureRatio: 0.5,
  minimumCalls: 20,
  windowMs: 10_000,
  slowCallMs: 200,
  goodProbes: 3,
  minimumOpenMs: 500,
  maximumOpenMs: 5_000,
  rampStepMs: 500,
};

const RAMP_PERCENT = [10, 50, 100];
const FLAPPING_MS = 60_000;
/** A hold that is nearly over is worth looking at again soon. */
const SHORT_HOLD_MS = 1_000;
/** A plan whose quota is used up costs money with every try: leave it alone for a while. */
const QUOTA_HOLD_MS = 60_000;

/**
 * Decides whether Redis is asked at all. It opens by the outcomes of real calls and closes only by background probes:
 * no user's request is ever the probe. At return traffic ramps up by share of subjects, so that a cold Redis is not
 * stampeded. Time is given by the caller in monotonic ms.
 */
export class Breaker {
  state: BreakerState;
  reason: ErrorClass | 'connecting';
  /** When it last opened, in monotonic ms. */
  openedAt = -Infinity;
  #consecutive = 0;
  #good = 0;
  #rampedAt = 0;
  #closedAt = -Infinity;
  #openForMs: number;
  readonly #recent: RecentCalls;

  constructor(
    private readonly options: BreakerOptions,
    private readonly now: () => number,
    private readonly onTransition: (from: BreakerState, to: BreakerState) => void,
  ) {
    this.state = 'open';
    this.reason = 'connecting';
    this.#openForMs = options.minimumOpenMs;
    this.#recent = new RecentCalls(options.windowMs);
  }

  /** The percentage of subjects that may be sent to Redis now. */
  get percent(): number {
    if (this.state === 'closed') return 100;
    if (this.state === 'open') return 0;
    const step = Math.floor((this.now() - this.#rampedAt) / this.options.rampStepMs);
    return RAMP_PERCENT[step] ?? 100;
  }

  succeeded(durationMs: number): void {
    this.#consecutive = 0;
    this.#count(durationMs > this.options.slowCallMs, 'timeout');
  }

  failed(errorClass: ErrorClass): void {
    this.#consecutive++;
    if (this.#consecutive >= this.options.consecutiveFailures) this.trip(errorClass);
    else this.#count(true, errorClass);
  }

  /** Opens at once: the connection itself is known to be gone, or a probe failed. */
  trip(errorClass: ErrorClass): void {
    this.#good = 0;
    if (this.state === 'open') {
      this.reason = errorClass;
      return;
    }
    const flapping = this.state === 'ramping' || this.now() - this.#closedAt < FLAPPING_MS;
    this.#openForMs = flapping ? Math.min(this.#openForMs * 2, this.options.maximumOpenMs) : this.options.minimumOpenMs;
    if (errorClass === 'quota') this.#openForMs = QUOTA_HOLD_MS;
    this.reason = errorClass;
    this.openedAt = this.now();
    this.#move('open');
  }

  /** One background probe found Redis healthy. Returns whether another is wanted soon: not while a hold lasts. */
  probed(): boolean {
    if (this.state !== 'open') return false;
    this.#good++;
    if (this.#good < this.options.goodProbes) return true;
    const holdMs = this.openedAt + this.#openForMs - this.now();
    if (holdMs > 0) return holdMs < SHORT_HOLD_MS;
    this.#rampedAt = this.now();
    this.#move('ramping');
    return false;
  }

  /** Ends a ramp whose time has come. */
  settle(): void {
    const ramped = this.now() - this.#rampedAt >= (RAMP_PERCENT.length - 1) * this.options.rampStepMs;
    if (this.state === 'ramping' && ramped) this.close();
  }

  /** Closes without a ramp: at boot, before there is any traffic. */
  close(): void {
    this.#closedAt = this.now();
    this.#move('closed');
  }

  #count(bad: boolean, errorClass: ErrorClass): void {
    this.#recent.add(bad, this.now());
    const { calls, failures } = this.#recent;
    const enough = calls >= this.options.minimumCalls;
    if (bad && enough && failures / calls >= this.options.failureRatio) this.trip(errorClass);
  }

  #move(to: BreakerState): void {
    const from = this.state;
    if (from === to) return;
    this.state = to;
    this.#consecutive = 0;
    this.#good = 0;
    this.#recent.clear();
    this.onTransition(from, to);
  }
}

/** Calls and failures of the last `windowMs`, in ten buckets. */
class RecentCalls {
  readonly #calls = new Uint32Array(10);
  readonly #failures = new Uint32Array(10);
  #bucket = 0;
  calls = 0;
  failures = 0;

  constructor(private readonly windowMs: number) {}

  add(bad: boolean, now: number): void {
    const bucket = Math.floor((now * 10) / this.windowMs);
    if (bucket !== this.#bucket) this.#forget(bucket);
    this.#calls[bucket % 10]!++;
    this.calls++;
    if (!bad) return;
    this.#failures[bucket % 10]!++;
    this.failures++;
  }

  clear(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
    this.calls = this.failures = 0;
  }

  /** Empties the buckets between the last call and this one: they hold what is older than the window. */
  #forget(bucket: number): void {
    for (let i = Math.max(this.#bucket + 1, bucket - 9); i <= bucket; i++) {
      this.calls -= this.#calls[i % 10]!;
      this.failures -= this.#failures[i % 10]!;
      this.#calls[i % 10] = this.#failures[i % 10] = 0;
    }
    this.#bucket = bucket;
  }
}
