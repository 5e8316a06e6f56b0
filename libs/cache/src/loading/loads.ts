import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { CacheClosedError, CacheRecursionError } from '../cache.errors.js';
import type { ChangeListener } from '../near/changes.js';
import { Flight, type FlightParts } from './flight.js';
import type { Journey, Underway } from './journey.js';

/** Failures of more values than that are forgotten. */
const MOST_FAILED = 10_000;

/** The loads of this process. */
export class Loads implements ChangeListener {
  readonly around = new AsyncLocalStorage<readonly Underway[]>();
  /** Loads that may be joined; one that began before a change is not joined after it. */
  readonly #joinable = new Map<string, Flight>();
  readonly #refreshing = new Set<string>();
  readonly #all = new Set<Flight>();
  readonly #failedUntil = new Map<string, number>();
  readonly #parts: FlightParts;

  constructor(
    parts: Omit<FlightParts, 'around' | 'nextToken'>,
    private readonly isTag: (name: string) => boolean,
  ) {
    const prefix = randomBytes(12).toString('base64url');
    let tokens = 0;
    this.#parts = { ...parts, around: this.around, nextToken: () => `${prefix}.${(tokens++).toString(36)}` };
  }

  /**
   * The load of this value that is under way.
   * @throws CacheRecursionError when this code is part of it.
   */
  running(name: string, key: string): Flight | undefined {
    const within = this.#all.size > 0 && this.around.getStore();
    const waits = ({ loading, journey }: Underway) => loading && journey.slot.entry.name === name;
    if (within && within.some(waits)) throw new CacheRecursionError(key);
    const flight = this.#joinable.get(name);
    return flight?.givenUp === true ? undefined : flight;
  }

  start(journey: Journey): Flight {
    const { name } = journey.slot.entry;
    const flight = this.#take(journey, () => {
      if (this.#joinable.get(name) === flight) this.#joinable.delete(name);
    });
    const before = this.#joinable.get(name);
    if (before !== undefined) before.current = false; // given up, and not told of changes from now on
    this.#joinable.set(name, flight);
    return flight;
  }

  /** Loads a value anew that is still served; one load at a time. */
  refresh(journey: Journey): void {
    const { name } = journey.slot.entry;
    if (this.#refreshing.has(name) || this.#joinable.has(name) || this.failedLately(name)) return;
    this.#refreshing.add(name);
    this.#take(journey, () => this.#refreshing.delete(name));
  }

  /** Whether a load failed, and is not to be repeated yet: there is a value that can still be served. */
  failedLately(name: string): boolean {
    const until = this.#failedUntil.get(name);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#failedUntil.delete(name);
    return false;
  }

  changed(name: string): void {
    if (this.isTag(name)) return this.forget(); // which loads will name it is not known before they end
    const flight = this.#joinable.get(name);
    if (flight === undefined) return;
    flight.current = false;
    this.#joinable.delete(name);
  }

  forget(): void {
    for (const flight of this.#joinable.values()) flight.current = false;
    this.#joinable.clear();
  }

  close(): void {
    for (const flight of this.#all) flight.abort(new CacheClosedError());
  }

  /** Begins a load. One that fails is not repeated at once where there is a value that can still be served. */
  #take(journey: Journey, ended: () => void): Flight {
    const flight = new Flight(this.#parts, journey);
    this.#all.add(flight);
    const over = () => {
      this.#over(flight);
      ended();
    };
    flight.ended.then(over, () => {
      over();
      if (journey.seen.held !== undefined) this.#failed(journey.slot.entry.name, journey.plan.retryAfterMs);
    });
    return flight;
  }

  /** Before Node 24 an AsyncLocalStorage that was used slows down every promise of the process until it is disabled. */
  #over(flight: Flight): void {
    this.#all.delete(flight);
    if (this.#all.size === 0) this.around.disable();
  }

  #failed(name: string, forMs: number): void {
    if (this.#failedUntil.size >= MOST_FAILED) this.#failedUntil.clear();
    this.#failedUntil.set(name, performance.now() + forMs);
  }
}
