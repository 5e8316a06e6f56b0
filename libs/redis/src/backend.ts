import { channel } from 'node:diagnostics_channel';
import type { Breaker, BreakerState } from './breaker.js';
import type { Commands } from './commands.js';
import { shareOf } from './digest.js';
import { show } from './duration.js';
import { InvalidOptionsError } from './redis.errors.js';

/** `auto`: Redis when configured, in-memory while it is lost; `redis`: the boot fails without it; `memory`: never Redis. */
export type BackendMode = 'auto' | 'redis' | 'memory';
export type BackendName = 'redis' | 'memory';

export interface BackendChange {
  readonly connection: string;
  readonly from: BackendName;
  readonly to: BackendName;
  /** The class of the error, `forced`, or null when Redis is back. */
  readonly reason: string | null;
  readonly at: Date;
  /** How long the backend before this one served, in ms. */
  readonly afterMs: number;
}

/** What `/admin/state` and health show of a backend. */
export interface BackendState {
  readonly connection: string;
  readonly mode: BackendMode;
  readonly current: BackendName;
  readonly since: string;
  readonly reason: string | null;
  readonly forced: boolean;
  readonly read: BreakerState;
  readonly write: BreakerState;
}

const changeChannel = channel('roost:backend:change');

/**
 * Decides at every moment whether Redis or this process serves, for all features of one connection alike, so that the
 * time it takes to notice an outage is paid once. Announced once per transition, never switched silently.
 */
export class Backend {
  #current: BackendName = 'memory';
  #since = new Date();
  #changedAt = performance.now();
  #forced: BackendName | null = null;
  readonly #listeners = new Set<(change: BackendChange) => void>();
  readonly #requiredBy = new Set<string>();

  constructor(
    readonly connection: string,
    readonly mode: BackendMode,
    readonly commands: Commands,
    /** Absent when no Redis is configured, or none is wanted. */
    private readonly breakers: { readonly read: Breaker; readonly write: Breaker } | undefined,
    private readonly onListenerError: (error: unknown) => void,
  ) {
    if (mode === 'redis') this.require(`connection "${connection}"`);
  }

  get current(): BackendName {
    return this.#current;
  }

  /** Since when the current backend serves. */
  get since(): Date {
    return this.#since;
  }

  /** Why memory serves: the class of the error, `forced`, `configured`, `not_configured` or `connecting`; else null. */
  get reason(): string | null {
    if (this.#current === 'redis') return null;
    if (this.#forced === 'memory') return 'forced';
    if (this.mode === 'memory') return 'configured';
    return this.breakers?.write.reason ?? 'not_configured';
  }

  /** Whether there is a Redis that could serve. */
  get configured(): boolean {
    return this.breakers !== undefined;
  }

  /** The features that must not start without Redis. */
  get requiredBy(): readonly string[] {
    return [...this.#requiredBy];
  }

  /**
   * Where an operation is to be decided now. While traffic ramps up after an outage, the answer depends on the subject:
   * the same subject gets the same answer until all are back.
   */
  choose(direction: 'read' | 'write', subject?: string): BackendName {
    if (this.#forced !== null) return this.#forced;
    const percent = this.breakers?.[direction].percent ?? 0;
    if (percent === 100) return 'redis';
    if (percent === 0 || subject === undefined) return 'memory';
    return shareOf(subject) < percent ? 'redis' : 'memory';
  }

  /** Calls the listener at each transition, until the returned function is called. */
  onChange(listener: (change: BackendChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Pins the backend, whatever its health; null hands it back to the breaker. Without a Redis only memory can serve. */
  force(current: BackendName | null): void {
    if (current !== null && current !== 'redis' && current !== 'memory') {
      throw new InvalidOptionsError('Backend.force', [`Expected redis, memory or null, got ${show(current)}`]);
    }
    if (current === 'redis' && !this.configured) return;
    this.#forced = current;
    this.refresh();
  }

  /** Makes the boot fail unless Redis answers; called by a feature whose own mode is `redis`. */
  require(feature: string): void {
    this.#requiredBy.add(feature);
  }

  /** Takes over what breakers and operators decided, and tells listeners when that is a transition. */
  refresh(): void {
    const to = this.#forced ?? (this.breakers?.write.state === 'closed' ? 'redis' : 'memory');
    const from = this.#current;
    if (to === from) return;
    const now = performance.now();
    const afterMs = Math.round(now - this.#changedAt);
    this.#current = to;
    this.#since = new Date();
    this.#changedAt = now;
    const change: BackendChange = {
      connection: this.connection,
      from,
      to,
      reason: this.reason,
      at: this.#since,
      afterMs,
    };
    if (changeChannel.hasSubscribers) changeChannel.publish(change);
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.onListenerError(error); // the switch itself must go on
      }
    }
  }

  state(): BackendState {
    return {
      connection: this.connection,
      mode: this.mode,
      current: this.#current,
      since: this.#since.toISOString(),
      reason: this.reason,
      forced: this.#forced !== null,
      read: this.breakers?.read.state ?? 'open',
      write: this.breakers?.write.state ?? 'open',
    };
  }
}

const BY_CHOICE: ReadonlySet<string | null> = new Set(['forced', 'configured', 'not_configured']);

/** Whether memory serves by choice, not because Redis is lost: then no outage policy applies. */
export function servesByChoice({ reason }: Pick<Backend, 'reason'>): boolean {
  return BY_CHOICE.has(reason);
}
