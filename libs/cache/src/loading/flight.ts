import type { AsyncLocalStorage } from 'node:async_hooks';
import { CachedFailureError } from '../cache.errors.js';
import type { CacheMetrics } from '../cache.metrics.js';
import type { Changes } from '../near/changes.js';
import type { ServerClock } from '../near/server-clock.js';
import type { TagVersions } from '../near/tag-versions.js';
import type { Reader, Seen } from '../reader.js';
import type { CacheStore } from '../stores/cache.store.js';
import { failureError } from '../values/failure.js';
import type { Held } from '../values/held.js';
import { Context } from './context.js';
import { lifeOf, type Journey, type Landing, type Leased, type Underway } from './journey.js';
import type { Landings } from './landings.js';

/** Who waits for another process' load looks for itself after so long at the latest, and up to twice as long. */
const LOOK_AFTER_MS = 50;

/** What flights stand on. */
export interface FlightParts {
  readonly store: CacheStore;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly reader: Reader;
  readonly landings: Landings;
  readonly metrics: CacheMetrics;
  readonly leaseMs: number;
  /** What no other load has, in this process or another. */
  readonly nextToken: () => string;
  /** Takes in what could not be stored, for as long as the store is away. */
  readonly keep: (journey: Journey, held: Held) => void;
  /** Takes in that the store failed: an outage is known elsewhere, anything else is a bug. */
  readonly report: (error: unknown) => void;
  /** The loads that this code is part of, or was. */
  readonly around: AsyncLocalStorage<readonly Underway[]>;
}

/** One load of one value, for all who wait for it in this process; under a lease it is the only one of all processes. */
export class Flight {
  readonly ended: Promise<Landing>;
  /** Resolves when it is known whether this process loads, or another one. */
  readonly decided: Promise<void>;
  /** Whether nothing has changed since it began. */
  current = true;
  /** Whether its loader runs: what it began may live on, and then is no part of it any more. */
  loading = false;
  readonly #abort = new AbortController();
  #waiting = 0;
  #goesOn = false;
  #decide!: () => void;

  constructor(
    private readonly parts: FlightParts,
    readonly journey: Journey,
  ) {
    this.decided = new Promise((resolve) => (this.#decide = resolve));
    this.ended = journey.alone ? this.#lead(undefined) : this.#travel();
    this.ended.catch(() => undefined); // those who wait hear of it, and nobody may
  }

  /** Somebody waits for it. */
  join(): void {
    this.#waiting++;
  }

  /** Somebody waits no longer. The last to leave ends it, unless one of them wanted it to go on. */
  leave(goesOn: boolean, reason: Error): void {
    this.#goesOn ||= goesOn;
    if (--this.#waiting === 0 && !this.#goesOn) this.abort(reason);
  }

  /** Whether nobody waits for it any more: who comes now needs another one. */
  get givenUp(): boolean {
    return this.#abort.signal.aborted;
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Asks for leave to load until somebody has loaded. */
  async #travel(): Promise<Landing> {
    const { parts, journey } = this;
    const { slot, key } = journey;
    const { signal } = this.#abort;
    let { seen } = journey;
    let leased: Leased | undefined;
    try {
      while (leased === undefined) {
        signal.throwIfAborted();
        const news = parts.changes.next(slot.entry.name);
        try {
          const asked = await this.#begin(seen);
          if (asked.bytes !== null) seen = await parts.reader.take(asked.bytes, slot.entry);
          else if (asked.leased !== undefined) leased = asked.leased;
          else if (journey.background) return { held: undefined, source: 'elsewhere', stored: false };
          else {
            this.#decide(); // another one loads, as far as is known
            const atMostMs = Math.min(asked.leaseLeftMs + 1, LOOK_AFTER_MS * (1 + Math.random()));
            if ((await news.within(atMostMs, signal)) === 'timeout') continue;
            seen = await parts.reader.read(key, slot.entry);
          }
          const landing = leased === undefined ? this.#found(seen) : undefined;
          if (landing !== undefined) return landing;
        } finally {
          news.end();
          this.#decide();
        }
      }
    } catch (error) {
      if (error instanceof CachedFailureError || signal.aborted) throw error;
      parts.report(error); // the cache has failed, which is no failure of the load
    }
    return this.#lead(leased);
  }

  async #begin(seen: Seen) {
    const { store, tags, clock, leaseMs } = this.parts;
    const { slot, plan } = this.journey;
    const versions = await tags.snapshot(plan.tags, lifeOf(plan));
    const stamp = Math.max(...versions.map(({ version }) => version));
    const token = this.parts.nextToken();
    const version = Buffer.from(seen.version, 'latin1');
    const askedAt = performance.now();
    const { bytes, leased, leaseLeftMs, nowUs } = await store.begin(slot, version, { token, stamp, leaseMs });
    clock.learn(nowUs / 1_000, askedAt);
    const given: Leased | undefined = leased ? { token, seen: version, beganUs: nowUs, tags: versions } : undefined;
    return { bytes, leaseLeftMs, leased: given };
  }

  #found({ held }: Seen): Landing | undefined {
    if (held === undefined) return undefined;
    const leftMs = held.freshUntil - this.parts.clock.now();
    if (leftMs <= 0) return undefined;
    if (held.failure !== undefined) throw failureError(held.failure, leftMs);
    return { held, source: 'redis', stored: true };
  }

  /** Loads; the result is stored only under a lease. */
  async #lead(lease: Leased | undefined): Promise<Landing> {
    const { journey, parts } = this;
    const { signal } = this.#abort;
    this.#decide();
    const context = new Context(signal, journey.plan.tags);
    const renewals = lease && this.#renewed(lease);
    const beganAt = performance.now();
    try {
      const value = await this.#load(context);
      const loadMs = performance.now() - beganAt;
      parts.metrics.loaded('ok', loadMs);
      const landing = await parts.landings.land(journey, lease, {
        value,
        context,
        loadMs,
        isCurrent: () => this.current,
      });
      // Here and not by who waited: until this flight has ended an invalidation still finds it, and after that the value.
      if (this.current && !journey.background && !landing.stored && landing.held !== undefined) {
        parts.keep(journey, landing.held);
      }
      return landing;
    } catch (error) {
      const loadMs = performance.now() - beganAt;
      parts.metrics.loaded('failed', loadMs);
      if (signal.aborted) void parts.landings.giveUp(journey.slot, lease);
      else await parts.landings.fail(journey, lease, error, loadMs);
      throw error;
    } finally {
      clearInterval(renewals);
    }
  }

  /** What the loader gives. One that was given up may never end: it is not waited for, or others would join it for ever. */
  async #load(context: Context): Promise<unknown> {
    const { around } = this.parts;
    const { signal } = context;
    signal.throwIfAborted();
    let giveUp!: () => void;
    const givenUp = new Promise<never>((_, reject) => (giveUp = () => reject(signal.reason as Error)));
    signal.addEventListener('abort', giveUp, { once: true });
    this.loading = true;
    try {
      const loaded = around.run([...(around.getStore() ?? []), this], async () => this.journey.loader(context));
      return await Promise.race([loaded, givenUp]);
    } finally {
      this.loading = false;
      signal.removeEventListener('abort', giveUp);
    }
  }

  #renewed({ token }: Leased): NodeJS.Timeout {
    const { store, leaseMs } = this.parts;
    const renew = () => {
      // Lost or unanswered: the load goes on, and its commit is refused if another one has begun meanwhile.
      store.renew(this.journey.slot, token, leaseMs).catch(() => undefined);
    };
    return setInterval(renew, leaseMs / 3).unref();
  }
}
