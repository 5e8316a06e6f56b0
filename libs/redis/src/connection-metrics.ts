import type { Backend } from './backend.js';
import type { BreakerState } from './breaker.js';
import type { ErrorClass } from './error-class.js';
import type { HistogramSeries } from './instruments.js';
import type { Metrics } from './metrics.js';
import type { Direction } from './call.js';

/** The metrics of all connections of an application; each connection records under its name. */
export class RedisMetrics {
  readonly commandSeconds;
  readonly errors;
  readonly reconnects;
  readonly connections;
  readonly active;
  readonly transitions;
  readonly fallbackSeconds;
  readonly breaker;
  readonly probes;
  readonly gaps;
  readonly trackingCoherent;
  readonly trackingLosses;
  readonly #collectors: (() => void)[] = [];

  constructor(metrics: Metrics) {
    this.commandSeconds = metrics.histogram('roost_redis_command_duration_seconds', 'Time until a command was answered or given up', ['connection', 'command', 'outcome']); // prettier-ignore
    this.errors = metrics.counter('roost_redis_errors_total', 'Failed commands and connections by class', ['connection', 'class']); // prettier-ignore
    this.reconnects = metrics.counter('roost_redis_reconnects_total', 'Connections lost and sought again', ['connection', 'role']); // prettier-ignore
    this.connections = metrics.gauge('roost_redis_connections', 'Connections by what they are for and whether they are ready', ['connection', 'role', 'state'], () => this.#collect()); // prettier-ignore
    this.active = metrics.gauge('roost_backend_active', '1 for the backend that serves', ['connection', 'backend']);
    this.transitions = metrics.counter('roost_backend_transitions_total', 'Switches of the backend', ['connection', 'to', 'reason']); // prettier-ignore
    this.fallbackSeconds = metrics.counter('roost_fallback_seconds_total', 'Seconds in which memory served although Redis is configured', ['connection']); // prettier-ignore
    this.breaker = metrics.gauge('roost_breaker_state', '1 for the state that the breaker is in', ['connection', 'direction', 'state']); // prettier-ignore
    this.probes = metrics.counter('roost_probe_total', 'Background probes of a lost Redis', ['connection', 'result']);
    this.gaps = metrics.counter('roost_pubsub_gaps_total', 'Times in which pub/sub messages may have been missed', ['connection']); // prettier-ignore
    this.trackingCoherent = metrics.gauge('roost_redis_tracking_coherent', '1 while every change of a tracked key is told', ['connection']); // prettier-ignore
    this.trackingLosses = metrics.counter('roost_redis_tracking_losses_total', 'Times from which on changes of tracked keys may have been missed', ['connection']); // prettier-ignore
  }

  /** Runs before each scrape. */
  onCollect(collector: () => void): void {
    this.#collectors.push(collector);
  }

  #collect(): void {
    for (const collector of this.#collectors) collector();
  }
}

/** Records one connection's life, at the cost of a map look-up per command. */
export class ConnectionMetrics {
  readonly #durations = new Map<string, HistogramSeries>();
  #fallbackCountedAt = performance.now();

  constructor(
    private readonly connection: string,
    private readonly all: RedisMetrics,
  ) {}

  command(command: string, durationMs: number, failure: ErrorClass | undefined): void {
    const id = failure === undefined ? command : `${command}|${failure}`;
    let duration = this.#durations.get(id);
    if (duration === undefined) {
      const { connection } = this;
      duration = this.all.commandSeconds.labels({ connection, command, outcome: failure ?? 'ok' });
      this.#durations.set(id, duration);
    }
    duration.observe(durationMs / 1_000);
    if (failure !== undefined) this.error(failure);
  }

  error(errorClass: ErrorClass): void {
    this.all.errors.inc({ connection: this.connection, class: errorClass });
  }

  reconnect(role: string): void {
    this.all.reconnects.inc({ connection: this.connection, role });
  }

  probe(good: boolean): void {
    this.all.probes.inc({ connection: this.connection, result: good ? 'good' : 'failed' });
  }

  gap(): void {
    this.all.gaps.inc({ connection: this.connection });
  }

  trackingLost(): void {
    this.all.trackingLosses.inc({ connection: this.connection });
  }

  tracking(coherent: boolean): void {
    this.all.trackingCoherent.set({ connection: this.connection }, coherent ? 1 : 0);
  }

  breaker(direction: Direction, now: BreakerState): void {
    const { connection } = this;
    for (const state of ['closed', 'open', 'ramping'] as const) {
      this.all.breaker.set({ connection, direction, state }, state === now ? 1 : 0);
    }
  }

  /** Follows a backend: which one serves, how often that changed and how long memory stood in. */
  follow(backend: Backend, lanes: () => readonly { role: string; ready: boolean }[]): void {
    const { connection } = this;
    const show = () => {
      for (const name of ['redis', 'memory'] as const) {
        this.all.active.set({ connection, backend: name }, backend.current === name ? 1 : 0);
      }
    };
    const countFallback = (served: string) => {
      const now = performance.now();
      if (served === 'memory' && backend.configured) {
        this.all.fallbackSeconds.inc({ connection }, (now - this.#fallbackCountedAt) / 1_000);
      }
      this.#fallbackCountedAt = now;
    };
    show();
    backend.onChange((change) => {
      countFallback(change.from);
      this.all.transitions.inc({ connection, to: change.to, reason: change.reason ?? 'recovered' });
      show();
    });
    this.all.onCollect(() => {
      countFallback(backend.current);
      for (const { role, ready } of lanes()) {
        this.all.connections.set({ connection, role, state: 'ready' }, ready ? 1 : 0);
        this.all.connections.set({ connection, role, state: 'lost' }, ready ? 0 : 1);
      }
    });
  }
}
