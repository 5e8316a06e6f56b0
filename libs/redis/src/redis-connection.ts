import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Announcer } from './announcer.js';
import { Backend } from './backend.js';
import { Breaker, BREAKER_DEFAULTS, type BreakerState } from './breaker.js';
import { ClientFactory } from './client-factory.js';
import { ConnectionMetrics, type RedisMetrics } from './connection-metrics.js';
import { Deadlines } from './deadlines.js';
import { stops, type ErrorClass } from './error-class.js';
import { Lane } from './lane.js';
import { probe, probeKey, type ProbeResult } from './probe.js';
import { Prober } from './prober.js';
import { PubSub } from './pubsub.js';
import { rawClient } from './raw-client.js';
import { RedisCommands, type Direction } from './redis-commands.js';
import { RedisRequiredError } from './redis.errors.js';
import type { ResolvedConnection } from './redis.options.js';
import { UnconfiguredCommands } from './unconfigured-commands.js';

/** How long a lost connection may take to come back before everything is moved to memory, if no command failed first. */
const LOST_GRACE_MS = 1_000;
const CLOSE_DEADLINE_MS = 500;

export interface ConnectionContext {
  readonly keyPrefix: string;
  readonly production: boolean;
  readonly logger: LoggerService;
  readonly metrics: RedisMetrics;
}

/** One named Redis: its sockets, the breakers that watch them, and the backend that features ask. */
export class RedisConnection {
  readonly backend: Backend;
  readonly pubsub: PubSub;
  readonly raw: Redis;
  readonly #clients: ClientFactory | undefined;
  readonly #lanes: Record<Direction, Lane> | undefined;
  readonly #breakers: Record<Direction, Breaker> | undefined;
  readonly #prober: Prober | undefined;
  readonly #announcer: Announcer;
  readonly #metrics: ConnectionMetrics;
  readonly #blocking = new Set<Redis>();
  readonly #probeKey: string;
  #lostTimer: NodeJS.Timeout | undefined;
  #rampTimer: NodeJS.Timeout | undefined;
  #lastFailure: string | undefined;

  constructor(
    readonly name: string,
    private readonly options: ResolvedConnection,
    context: ConnectionContext,
  ) {
    const { keyPrefix, logger } = context;
    this.#metrics = new ConnectionMetrics(name, context.metrics);
    this.#probeKey = `${keyPrefix}:${probeKey.of({ instance: randomUUID() }).name}`;
    const wanted = options.backend !== 'memory' && (options.url !== undefined || options.client !== undefined);
    if (wanted) {
      this.#clients = new ClientFactory(name, options);
      this.#breakers = { read: this.#breaker('read'), write: this.#breaker('write') };
      this.#lanes = { read: this.#lane('read'), write: this.#lane('write') };
      this.#prober = new Prober(
        { firstPauseMs: 1_000, longestPauseMs: options.recheckMs, confirmPauseMs: 100 },
        () => this.#look(),
        (result) => this.#found(result),
      );
    }
    const commands = this.#lanes
      ? new RedisCommands(name, keyPrefix, this.#lanes, new Deadlines(options.commandTimeoutMs), {
          finished: (...outcome) => this.#finished(...outcome),
        })
      : new UnconfiguredCommands(name);
    this.backend = new Backend(name, options.backend, commands, this.#breakers);
    this.#announcer = new Announcer(this.backend, logger, context.production, () => this.#lastFailure);
    this.#metrics.follow(this.backend, () => this.#census());
    this.pubsub = new PubSub(this.backend, keyPrefix, this.#clients && ((events) => this.#subscriber(events)), logger);
    this.pubsub.onGap(({ phase }) => phase === 'lost' && this.#metrics.gap());
    this.raw = options.client ?? rawClient(name, this.#clients?.optionsFor('command'));
  }

  /** Begins to connect. */
  open(): void {
    this.#lanes?.write.open();
  }

  /**
   * Waits until it is known whether Redis is there: at once when it refuses, else at most `bootWaitMs`.
   * @throws RedisRequiredError when it is not and must be.
   */
  async boot(): Promise<void> {
    const lane = this.#lanes?.write;
    if (lane !== undefined) {
      const endsAt = performance.now() + this.options.bootWaitMs;
      for (;;) {
        await this.#settled(lane, endsAt - performance.now());
        const found = lane.ready ? await this.#look() : undefined;
        if (found && found.write === undefined && lane.ready) {
          this.#breakers!.read.close();
          this.#breakers!.write.close();
          break;
        }
        const patient = this.backend.requiredBy.length > 0 && performance.now() < endsAt;
        if (!patient) {
          this.#trip(found?.write ?? 'unreachable');
          break;
        }
        await delay(50);
      }
    }
    if (this.backend.current === 'redis') return;
    if (this.backend.requiredBy.length > 0) throw this.#required();
    this.#announcer.lost();
  }

  /** A client for commands that wait on the server, such as BLPOP or XREAD BLOCK; closed with the application. */
  blockingClient(): Redis {
    if (this.#clients === undefined) return rawClient(this.name, undefined);
    const client = this.#clients.create('blocking');
    client.on('error', (error) => (this.#lastFailure = error.message));
    this.#blocking.add(client);
    return client;
  }

  /** Closes what Roost opened; a client that the application brought stays open. */
  async close(): Promise<void> {
    clearTimeout(this.#lostTimer);
    clearTimeout(this.#rampTimer);
    this.#prober?.stop();
    this.#announcer.close();
    for (const client of this.#blocking) client.disconnect();
    if (this.options.client === undefined) this.raw.disconnect();
    const lanes = Object.values(this.#lanes ?? {});
    await Promise.all([...lanes, this.pubsub].map((each) => each.close(CLOSE_DEADLINE_MS)));
  }

  #breaker(direction: Direction): Breaker {
    const options = {
      ...BREAKER_DEFAULTS,
      slowCallMs: this.options.commandTimeoutMs * 0.8,
      maximumOpenMs: Math.max(BREAKER_DEFAULTS.minimumOpenMs, this.options.recheckMs),
    };
    return new Breaker(
      options,
      () => performance.now(),
      (from, to) => this.#moved(direction, from, to),
    );
  }

  #lane(direction: Direction): Lane {
    return new Lane(this.#clients!.create('command'), this.#heartbeat, {
      ready: () => {
        if (direction === 'write') clearTimeout(this.#lostTimer);
        this.#prober?.hurry();
      },
      lost: (errorClass, wasReady) => {
        this.#metrics.error(errorClass);
        if (wasReady) this.#metrics.reconnect(direction);
        if (!wasReady || direction === 'read') return;
        clearTimeout(this.#lostTimer);
        this.#lostTimer = setTimeout(() => this.#trip(errorClass), LOST_GRACE_MS).unref();
      },
    });
  }

  #subscriber(events: { ready(): void; lost(): void }): Lane {
    return new Lane(this.#clients!.create('subscriber'), this.#heartbeat, {
      ready: events.ready,
      lost: (errorClass, wasReady) => {
        this.#metrics.error(errorClass);
        if (!wasReady) return;
        this.#metrics.reconnect('subscriber');
        events.lost();
      },
    });
  }

  get #heartbeat() {
    return { everyMs: this.options.heartbeatMs, deadlineMs: 1_000 };
  }

  #finished(direction: Direction, command: string, durationMs: number, failure: ErrorClass | undefined): void {
    this.#metrics.command(command, durationMs, failure);
    const breaker = this.#breakers![direction];
    if (failure === undefined) breaker.succeeded(durationMs);
    else if (stops(direction, failure)) breaker.failed(failure);
  }

  #trip(errorClass: ErrorClass): void {
    this.#breakers!.read.trip(errorClass);
    this.#breakers!.write.trip(errorClass);
    this.#prober!.start();
  }

  #moved(direction: Direction, from: BreakerState, to: BreakerState): void {
    this.#metrics.breaker(direction, to);
    if (to === 'open') {
      // What waits on a socket that no longer answers need not wait for its deadline.
      if (from !== 'open' && this.#breakers![direction].reason === 'timeout') this.#lanes![direction].reset();
      this.#prober!.start();
    }
    if (to === 'ramping') this.#settleLater(this.#breakers![direction]);
    this.backend.refresh();
  }

  #settleLater(breaker: Breaker): void {
    this.#rampTimer = setTimeout(() => {
      breaker.settle();
      if (breaker.state === 'ramping') this.#settleLater(breaker);
    }, BREAKER_DEFAULTS.rampStepMs).unref();
  }

  #look(): Promise<ProbeResult> {
    const client = this.#clients!.create('command', { retryStrategy: () => null, enableReadyCheck: false });
    return probe(client, this.#probeKey, this.options.connectTimeoutMs);
  }

  /** Takes in what a probe found; returns whether to go on probing. */
  #found(result: ProbeResult): boolean {
    this.#metrics.probe(result.write === undefined);
    if (result.message !== undefined) this.#lastFailure = result.message;
    for (const direction of ['read', 'write'] as const) {
      const failure = result[direction];
      const breaker = this.#breakers![direction];
      if (failure !== undefined) breaker.trip(failure);
      else if (this.#fresh(direction, breaker.openedAt)) breaker.probed();
    }
    return Object.values(this.#breakers!).some((breaker) => breaker.state === 'open');
  }

  /** Whether traffic would travel on a socket opened after the outage began; after a failover the old one leads nowhere. */
  #fresh(direction: Direction, openedAt: number): boolean {
    const lanes = this.#lanes!;
    const lane = direction === 'read' && lanes.read.unused ? lanes.write : lanes[direction];
    if (lane.ready && lane.readyAt > openedAt) return true;
    if (lane.ready) lane.reset();
    else lane.open();
    return false;
  }

  async #settled(lane: Lane, withinMs: number): Promise<void> {
    const { client } = lane;
    const settled = new Promise<void>((resolve) => {
      if (lane.ready) resolve();
      client.once('ready', resolve);
      client.once('close', resolve);
    });
    const timer = new AbortController();
    await Promise.race([settled, delay(Math.max(withinMs, 0), undefined, { signal: timer.signal })]);
    timer.abort();
  }

  #census(): { role: string; ready: boolean }[] {
    return Object.entries(this.#lanes ?? {})
      .filter(([, lane]) => !lane.unused)
      .map(([role, lane]) => ({ role, ready: lane.ready }));
  }

  #required(): RedisRequiredError {
    const why = this.#lastFailure ?? this.backend.reason ?? 'unknown';
    return new RedisRequiredError(
      `Redis is required by ${this.backend.requiredBy.join(', ')} but could not be used (${why}). ` +
        'Start it, correct REDIS_URL, or set the backend to "auto" to start in memory until it is there.',
    );
  }
}
