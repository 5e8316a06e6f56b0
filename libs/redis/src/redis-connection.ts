import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Announcer } from './announcer.js';
import { Backend } from './backend.js';
import { ClientFactory } from './client-factory.js';
import { ConnectionMetrics, type RedisMetrics } from './connection-metrics.js';
import type { Commands } from './commands.js';
import { Deadlines } from './deadlines.js';
import { DedicatedLanes, type Dedicated } from './dedicated.js';
import { safeMessage } from './error-class.js';
import { Lane } from './lane.js';
import { endClient, type LentClient } from './lent-client.js';
import { LentClients, type JobClientRole } from './lent-clients.js';
import { OutageWatch } from './outage-watch.js';
import { probe, probeKey, type ProbeResult } from './probe.js';
import { PubSub } from './pubsub.js';
import { rawClient } from './raw-client.js';
import type { Direction } from './call.js';
import { RedisCommands } from './redis-commands.js';
import { RedisRequiredError } from './redis.errors.js';
import type { ResolvedConnection } from './redis.options.js';
import type { Tracking } from './tracking.js';
import type { TrackingOptions } from './tracking.options.js';
import { Trackings } from './trackings.js';
import { UnconfiguredCommands } from './unconfigured-commands.js';

const CLOSE_DEADLINE_MS = 500;

export interface ConnectionContext {
  readonly keyPrefix: string;
  readonly announcer: Announcer;
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
  readonly #watch: OutageWatch | undefined;
  readonly #metrics: ConnectionMetrics;
  readonly #lent: LentClients;
  readonly #dedicated: DedicatedLanes[] = [];
  readonly #trackings: Trackings;
  readonly #beforeClose: (() => Promise<void>)[] = [];
  #opened = false;
  readonly #probeKey: string;

  constructor(
    readonly name: string,
    private readonly options: ResolvedConnection,
    private readonly context: ConnectionContext,
  ) {
    const { keyPrefix, logger } = context;
    this.#metrics = new ConnectionMetrics(name, context.metrics);
    this.#probeKey = `${keyPrefix}:${probeKey.of({ instance: randomUUID() }).name}`;
    const wanted = options.backend !== 'memory' && (options.url !== undefined || options.client !== undefined);
    let commands: Commands = new UnconfiguredCommands(name);
    if (wanted) {
      const clients = new ClientFactory(name, options, (error) => this.#watch?.note(safeMessage(error)));
      this.#clients = clients;
      const watch = new OutageWatch({
        ...options,
        metrics: this.#metrics,
        look: () => this.#look(),
        redact: (text) => clients.redact(text),
        changed: () => this.backend.refresh(),
      });
      this.#watch = watch;
      this.#lanes = { read: this.#lane('read', watch), write: this.#lane('write', watch) };
      watch.follow(this.#lanes);
      commands = new RedisCommands(name, keyPrefix, this.#lanes, new Deadlines(options.commandTimeoutMs), watch);
    }
    this.backend = new Backend(name, options.backend, commands, this.#watch?.breakers, (error) =>
      logger.error('A listener of Backend.onChange threw', { event: 'backend.listener', error: String(error) }),
    );
    this.#metrics.follow(this.backend, () => this.#census());
    this.pubsub = new PubSub(this.backend, keyPrefix, this.#clients && ((events) => this.#subscriber(events)), logger);
    this.pubsub.onGap(({ phase }) => phase === 'lost' && this.#metrics.gap());
    const shared = { keyPrefix, commands, logger, metrics: this.#metrics, clients: this.#clients };
    this.#trackings = new Trackings({ ...shared, pubsub: this.pubsub });
    this.#lent = new LentClients(name, this.#clients, this.#metrics);
    this.raw = options.client ?? rawClient(name, this.#clients?.create('raw'));
  }

  /** Begins to connect. */
  open(): void {
    this.#opened = true;
    this.#lanes?.write.open();
    for (const each of this.#own) each.open();
  }

  /** What all keys in Redis begin with, without the colon that follows it. */
  get keyPrefix(): string {
    return this.context.keyPrefix;
  }

  /** The number of the database that keys live in; 0 without a Redis. */
  get database(): number {
    return this.#clients?.database ?? 0;
  }

  /**
   * Looks whether Redis is there. Without a Redis that is required, one look decides; it takes at most
   * `connectTimeoutMs`, and no time when Redis refuses.
   * @throws RedisRequiredError when Redis is not there for `bootWaitMs` and must be.
   */
  async boot(): Promise<void> {
    const endsAt = performance.now() + this.options.bootWaitMs;
    while (this.#watch && this.#watch.breakers.write.state !== 'closed') {
      const { write: failure, message } = await this.#look();
      if (failure === undefined && (await this.#lanes!.write.whenReady(this.options.connectTimeoutMs))) {
        this.#watch.close();
      } else {
        this.#watch.trip(failure ?? 'timeout', message);
        if (this.backend.requiredBy.length === 0 || performance.now() > endsAt) break;
        await delay(50);
      }
    }
    if (this.backend.current === 'memory' && this.backend.requiredBy.length > 0) {
      await this.close(); // an application that does not start is not shut down either
      throw this.#required();
    }
    this.context.announcer.follow(this.backend, () => this.#watch?.lastFailure);
  }

  /** A client for commands that wait on the server, such as BLPOP or XREAD BLOCK; closed with the application. */
  blockingClient(): Redis {
    return this.#lent.blocking();
  }

  /**
   * A client for a library of job queues, not yet connecting; ended with the application at the latest.
   * @throws RedisNotConfiguredError without a Redis.
   */
  jobClient(role: JobClientRole): LentClient {
    return this.#lent.job(role);
  }

  /**
   * Connections for one feature alone, opened with the others. Unlike those they do not fail during their first opening,
   * which a command waits for within its deadline. `role` names them in metrics.
   */
  dedicated(role: string): Dedicated {
    const { name: connection, keyPrefix } = this;
    if (!this.#clients || !this.#watch) {
      const commands = new UnconfiguredCommands(connection);
      return { commands, again: commands };
    }
    const dedicated = new DedicatedLanes(role, {
      connection,
      keyPrefix,
      commandTimeoutMs: this.options.commandTimeoutMs,
      heartbeat: this.#heartbeat,
      clients: this.#clients,
      metrics: this.#metrics,
      watch: this.#watch,
    });
    this.#dedicated.push(dedicated);
    if (this.#opened) dedicated.open();
    return dedicated;
  }

  /**
   * Hears of each change of keys under some prefixes, in whatever database and by whomever, on a connection of its own
   * that is opened and closed with the others. Without a Redis its mode is `off`.
   * @throws InvalidOptionsError when a prefix begins with another, or the probe with none.
   */
  track(options: TrackingOptions): Tracking {
    return this.#trackings.add(options);
  }

  /** Runs it when the connection is about to be closed, which waits for it: it has to bound itself. */
  beforeClose(run: () => Promise<void>): void {
    this.#beforeClose.push(run);
  }

  /** Closes what Roost opened; a client that the application brought stays open. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#beforeClose.splice(0).map((run) => run()));
    this.#watch?.stop();
    if (this.options.client === undefined) endClient(this.raw);
    const lanes = [
      ...Object.values(this.#lanes ?? {}),
      ...this.#dedicated.flatMap((each) => each.lanes.map(({ lane }) => lane)),
    ];
    await Promise.all(
      [...lanes, this.#trackings, this.pubsub, this.#lent].map((each) => each.close(CLOSE_DEADLINE_MS)),
    );
  }

  #lane(direction: Direction, watch: OutageWatch): Lane {
    return new Lane(this.#clients!.create('command'), this.#heartbeat, {
      ready: () => {
        watch.laneReady(direction);
        for (const each of this.#own) each.hurry();
      },
      lost: (...loss) => watch.laneLost(direction, ...loss),
    });
  }

  #subscriber(events: { ready(): void; lost(): void }): Lane {
    return new Lane(this.#clients!.create('subscriber'), this.#heartbeat, {
      ready: () => events.ready(),
      lost: (errorClass, wasReady) => {
        this.#metrics.error(errorClass);
        if (!wasReady) return;
        this.#metrics.reconnect('subscriber');
        events.lost();
      },
    });
  }

  /** What opens and comes back together with the shared connections. */
  get #own(): readonly (DedicatedLanes | Trackings)[] {
    return [...this.#dedicated, this.#trackings];
  }

  get #heartbeat() {
    return { everyMs: this.options.heartbeatMs, deadlineMs: 1_000 };
  }

  #look(): Promise<ProbeResult> {
    const client = this.#clients!.create('command', { retryStrategy: () => null, enableReadyCheck: false });
    return probe(client, this.#probeKey, this.options.connectTimeoutMs);
  }

  #census(): { role: string; ready: boolean }[] {
    const shared = Object.entries(this.#lanes ?? {}).map(([role, lane]) => ({ role, lane }));
    return [...shared, ...this.#own.flatMap((each) => each.lanes)]
      .filter(({ lane }) => !lane.unused)
      .map(({ role, lane }) => ({ role, ready: lane.ready }));
  }

  #required(): RedisRequiredError {
    const why = this.#watch?.lastFailure ?? this.backend.reason ?? 'unknown';
    return new RedisRequiredError(
      `Redis is required by ${this.backend.requiredBy.join(', ')} but could not be used (${why}). ` +
        'Start it, correct REDIS_URL, or set the backend to "auto" to start in memory until it is there.',
    );
  }
}
