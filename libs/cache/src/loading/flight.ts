import { randomBytes } from 'node:crypto';
import { CachedFailureError } from '../cache.errors.js';
import type { Plan } from '../cache.plan.js';
import type { Seen } from '../reader.js';
import type { TagVersion } from '../values/envelope.js';
import { failureError } from '../values/failure.js';
import { Context } from './context.js';
import type { FlightParts, Journey, Landing } from './journey.js';

/** Who waits for another process' load looks for itself after so long at the latest, and up to twice as long. */
const LOOK_AFTER_MS = 50;

/** A lease that was given to a load, and what the load saw before it began. */
interface Leased {
  readonly token: string;
  readonly seen: Buffer;
  readonly beganUs: number;
  readonly tags: readonly TagVersion[];
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
          if (asked.bytes !== undefined) seen = await parts.reader.take(asked.bytes, slot.entry);
          else if (asked.leased !== undefined) leased = asked.leased;
          else if (journey.background) return { value: undefined, held: undefined, source: 'elsewhere', stored: false };
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
    const token = randomBytes(12).toString('base64url');
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
    return { value: held.value(), held, source: 'redis', stored: true };
  }

  /** Loads; the result is stored only under a lease. */
  async #lead(lease: Leased | undefined): Promise<Landing> {
    const { parts } = this;
    const { signal } = this.#abort;
    this.#decide();
    const context = new Context(signal);
    const renewals = lease && this.#renewed(lease);
    const beganAt = performance.now();
    try {
      const value = await this.#load(context);
      const loadMs = performance.now() - beganAt;
      parts.metrics.loaded('ok', loadMs);
      return await this.#store(value, context, loadMs, lease);
    } catch (error) {
      parts.metrics.loaded('failed', performance.now() - beganAt);
      if (signal.aborted) void this.#giveUp(lease);
      else await this.#fail(error, lease, performance.now() - beganAt);
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

  async #store(value: unknown, context: Context, loadMs: number, lease: Leased | undefined): Promise<Landing> {
    const { writer, clock, tags, store, metrics } = this.parts;
    const { plan, slot } = this.journey;
    const payload = context.skipped ? undefined : writer.payload(value, plan.codec);
    if (payload === undefined) {
      await this.#giveUp(lease);
      return { value, held: undefined, source: 'loader', stored: false };
    }
    const origin = { now: clock.now(), loadMs, ttlMs: context.ttlMs };
    const named = context.tags.filter((tag) => !plan.tags.includes(tag));
    const own = [...(lease?.tags ?? []), ...plan.tags.map((name) => ({ name, version: 0 }))];
    if (lease === undefined) {
      const tagged = [...own, ...named.map((name) => ({ name, version: 0 }))];
      const { held } = writer.write(payload, plan, { ...origin, tags: tagged }, value === null);
      return { value: held.value(), held, source: 'loader', stored: false };
    }
    let stored = false;
    let written = writer.write(payload, plan, { ...origin, tags: lease.tags }, value === null);
    try {
      const lifeMs = lifeOf(plan, context.ttlMs);
      if (lifeMs > lifeOf(plan)) await tags.snapshot(plan.tags, lifeMs); // else they would end before what has them
      const later = await tags.since(named, lease.beganUs, lifeMs);
      if (later === undefined) await this.#giveUp(lease);
      else {
        if (later.length > 0) {
          written = writer.write(payload, plan, { ...origin, tags: [...lease.tags, ...later] }, value === null);
        }
        stored = await store.commit(slot, { ...written, token: lease.token, seen: lease.seen });
      }
      if (!stored) metrics.fenced();
    } catch (error) {
      this.parts.report(error); // without an answer it is not stored, or was stored under the lease
    }
    return { value: written.held.value(), held: written.held, source: 'loader', stored };
  }

  #renewed({ token }: Leased): NodeJS.Timeout {
    const { store, leaseMs } = this.parts;
    const renew = () => {
      // Lost or unanswered: the load goes on, and its commit is refused if another one has begun meanwhile.
      store.renew(this.journey.slot, token, leaseMs).catch(() => undefined);
    };
    return setInterval(renew, leaseMs / 3).unref();
  }

  /** Others may load at once; or are told of the error for a moment. */
  async #fail(error: unknown, lease: Leased | undefined, loadMs: number): Promise<void> {
    const { plan, seen, slot } = this.journey;
    if (lease === undefined || plan.errorTtlMs === 0 || seen.held !== undefined) return this.#giveUp(lease);
    const { writer, store, clock } = this.parts;
    const { token, seen: version, tags } = lease;
    const { bytes, lifeMs } = writer.writeFailure(error, plan, { tags, now: clock.now(), loadMs });
    await this.#quietly(store.commit(slot, { token, seen: version, bytes, lifeMs }));
  }

  async #giveUp(lease: Leased | undefined): Promise<void> {
    if (lease !== undefined) await this.#quietly(this.parts.store.abort(this.journey.slot, lease.token));
  }

  /** A lease that cannot be given back ends by itself. */
  async #quietly(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.parts.report(error);
    }
  }
}

/** For how long a value of this plan, or its error, is kept at most. */
export function lifeOf(
  { ttlMs, negativeTtlMs, errorTtlMs, graceMs, jitter }: Plan,
  /** Of this value, where its load said so. */
  ownTtlMs = 0,
): number {
  return Math.max(Math.ceil(Math.max(ttlMs, negativeTtlMs ?? 0, ownTtlMs) * (1 + jitter)) + graceMs, errorTtlMs);
}
