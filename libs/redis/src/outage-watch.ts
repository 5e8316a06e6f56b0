import { Breaker, BREAKER_DEFAULTS, type BreakerState } from './breaker.js';
import type { ConnectionMetrics } from './connection-metrics.js';
import { stops, type ErrorClass } from './error-class.js';
import type { Lane } from './lane.js';
import type { ProbeResult } from './probe.js';
import { outsideRequests } from './outside-requests.js';
import { Prober, type ProbeNext } from './prober.js';
import type { Direction } from './call.js';
import type { CommandObserver } from './redis-commands.js';

/** How long a lost connection may take to come back before everything moves to memory, if no command failed first. */
const LOST_GRACE_MS = 1_000;

export interface WatchOptions {
  readonly commandTimeoutMs: number;
  readonly recheckMs: number;
  /** Looks at Redis from outside. */
  readonly look: () => Promise<ProbeResult>;
  /** Takes credentials out of what Redis or the network said. */
  readonly redact: (text: string) => string;
  readonly metrics: ConnectionMetrics;
  /** A breaker moved: the backend may have changed. */
  readonly changed: () => void;
}

/**
 * Watches one Redis: command outcomes and lost sockets open the breakers, probes in the background close them again.
 * Reads and writes are judged apart, as a server that is full or a replica still serves reads.
 */
export class OutageWatch implements CommandObserver {
  readonly breakers: Record<Direction, Breaker>;
  #lastFailure: string | undefined;
  #stopped = false;
  readonly #prober: Prober;
  #lanes: Record<Direction, Lane>;
  #lostBy: ErrorClass = 'unreachable';
  #lostTimer: NodeJS.Timeout | undefined;
  readonly #rampTimers: Partial<Record<Direction, NodeJS.Timeout>> = {};

  constructor(private readonly options: WatchOptions) {
    this.breakers = { read: this.#breaker('read'), write: this.#breaker('write') };
    this.#prober = new Prober(
      { firstPauseMs: Math.min(1_000, options.recheckMs), longestPauseMs: options.recheckMs, confirmPauseMs: 100 },
      options.look,
      (result) => this.#found(result),
    );
  }

  /** What went wrong last, in the words of Redis or the network. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  note(message: string): void {
    // That nothing can be written is a consequence; why the connection is gone was said before.
    if (this.#lastFailure !== undefined && message.includes("Stream isn't writeable")) return;
    this.#lastFailure = this.options.redact(message);
  }

  /** Names the sockets that traffic travels on. */
  follow(lanes: Record<Direction, Lane>): void {
    this.#lanes = lanes;
  }

  finished(...[direction, command, durationMs, failure, message]: Parameters<CommandObserver['finished']>): void {
    this.options.metrics.command(command, durationMs, failure);
    if (message !== undefined) this.note(message);
    if (this.#stopped) return;
    const breaker = this.breakers[direction];
    if (failure === undefined) breaker.succeeded(durationMs);
    else if (stops(direction, failure)) breaker.failed(failure);
  }

  laneReady(direction: Direction): void {
    if (direction === 'write') clearTimeout(this.#lostTimer);
    this.#prober.hurry();
  }

  laneLost(direction: Direction, errorClass: ErrorClass, wasReady: boolean, message: string | undefined): void {
    this.options.metrics.error(errorClass);
    if (message !== undefined) this.note(message);
    if (wasReady) this.options.metrics.reconnect(direction);
    if (direction === 'read' || this.#stopped) return;
    this.#lostBy = errorClass;
    if (!wasReady) return;
    clearTimeout(this.#lostTimer);
    this.#lostTimer = setTimeout(() => this.trip(this.#lostBy), LOST_GRACE_MS).unref();
  }

  /** Redis is gone for reads and writes alike: everything moves to memory, and probing begins. */
  trip(errorClass: ErrorClass, message?: string): void {
    if (this.#stopped) return;
    if (message !== undefined) this.note(message);
    this.breakers.read.trip(errorClass);
    this.breakers.write.trip(errorClass);
    this.#prober.start();
  }

  /** Redis was found at boot, before there is any traffic: no ramp. */
  close(): void {
    this.breakers.read.close();
    this.breakers.write.close();
  }

  stop(): void {
    clearTimeout(this.#lostTimer);
    for (const timer of Object.values(this.#rampTimers)) clearTimeout(timer);
    this.#stopped = true;
    this.#prober.stop();
  }

  #breaker(direction: Direction): Breaker {
    const { commandTimeoutMs, recheckMs } = this.options;
    const { minimumOpenMs } = BREAKER_DEFAULTS;
    const options = {
      ...BREAKER_DEFAULTS,
      slowCallMs: commandTimeoutMs * 0.8,
      maximumOpenMs: Math.max(minimumOpenMs, recheckMs),
    };
    const now = () => performance.now();
    // By the outcome of some request's command, and the business of none.
    return new Breaker(options, now, (from, to) => outsideRequests(() => this.#moved(direction, from, to)));
  }

  #moved(direction: Direction, from: BreakerState, to: BreakerState): void {
    const breaker = this.breakers[direction];
    this.options.metrics.breaker(direction, to);
    if (to === 'open') {
      // What waits on a socket that no longer answers need not wait for its deadline.
      if (breaker.reason === 'timeout') this.#lanes[direction].reset();
      this.#prober.start();
    }
    if (to === 'ramping') this.#settleLater(direction);
    this.options.changed();
  }

  #settleLater(direction: Direction): void {
    const breaker = this.breakers[direction];
    this.#rampTimers[direction] = setTimeout(() => {
      breaker.settle();
      if (breaker.state === 'ramping') this.#settleLater(direction);
    }, BREAKER_DEFAULTS.rampStepMs).unref();
  }

  /** Takes in what a probe found. */
  #found(result: ProbeResult): ProbeNext {
    let progress = false;
    this.options.metrics.probe(result.write === undefined);
    if (result.message !== undefined) this.note(result.message);
    for (const direction of ['read', 'write'] as const) {
      const failure = result[direction];
      const breaker = this.breakers[direction];
      if (failure !== undefined) breaker.trip(failure);
      else if (this.#fresh(direction, breaker.openedAt)) progress = breaker.probed() || progress;
    }
    const lost = Object.values(this.breakers).some((breaker) => breaker.state === 'open');
    return lost ? (progress ? 'confirm' : 'back off') : 'stop';
  }

  /** Whether traffic would travel on a socket opened after the outage began; after a failover an old one leads nowhere. */
  #fresh(direction: Direction, openedAt: number): boolean {
    const { [direction]: lane, write } = this.#lanes;
    if (lane.unused) return write.ready; // reads travel there until they need a connection of their own
    if (lane.ready && lane.readyAt > openedAt) return true;
    if (lane.ready) lane.reset();
    else lane.hurry();
    return false;
  }
}
