import type { LoggerService } from '@nestjs/common';
import type { HealthReport, RedisConnection } from '@roost/redis';
import { PresenceNode } from './node/presence.node.js';
import type { PresenceConfig } from './presence.config.js';
import type { PresenceMetrics } from './presence.metrics.js';
import { PresenceService } from './presence.service.js';
import { MemoryPresenceStore } from './stores/memory-presence.store.js';
import type { PresenceStore, Topic } from './stores/presence.store.js';
import { RedisPresenceStore } from './stores/redis-presence.store.js';
import { channelOf } from './stores/topics.js';
import { RoomViews } from './watching/room-views.js';

export interface PresenceRoomParts {
  readonly config: PresenceConfig;
  readonly connection: RedisConnection;
  readonly metrics: PresenceMetrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
}

/** How long a shutdown waits for Redis, in ms. */
const FAREWELL_MS = 2_000;
/** How long responses take to end, in ms. */
const RESPONSES_MS = 20;

/** All that one application has of presence, put together. */
export class PresenceRoom {
  readonly service: PresenceService;
  readonly views: RoomViews;
  readonly node: PresenceNode;
  readonly config: PresenceConfig;
  readonly metrics: PresenceMetrics;
  readonly #store: PresenceStore;
  readonly #ignore: () => void;
  #closing = false;
  #left: Promise<void> | undefined;

  constructor({ config, connection, metrics, logger }: PresenceRoomParts) {
    const { backend, pubsub } = connection;
    const onBug = (error: unknown) =>
      logger.error(`Presence failed: ${String(error)}`, { event: 'presence.bug', error: String(error) });
    const store = storeFor(config, connection, onBug);
    this.#store = store;
    this.config = config;
    this.metrics = metrics;
    const reachable = () => store.name === 'memory' || backend.current === 'redis';
    const node = new PresenceNode({ config, store, reachable, metrics, logger });
    this.node = node;
    const views = new RoomViews({ store, pubsub, node, metrics, confirmMs: config.leaseMs, onBug });
    this.views = views;
    this.service = new PresenceService(store, node, views);
    this.#ignore = backend.onChange(() => node.reachabilityChanged());
    metrics.show({
      get devices() {
        return node.members.size;
      },
      get watched() {
        return views.size;
      },
      get partial() {
        return node.lost;
      },
    });
  }

  /** Whether the process is about to end. */
  get closing(): boolean {
    return this.#closing;
  }

  /** What health shows of presence. */
  report(): HealthReport {
    const { lost, members } = this.node;
    return {
      status: lost ? 'degraded' : 'up',
      backend: this.#store.name,
      partial: lost,
      devices: members.size,
      watched: this.views.size,
    };
  }

  /** Gives signs of life from now on. */
  open(): void {
    this.node.start();
  }

  /**
   * The process is about to end: its users leave all together, and who watches is told no more. Resolves when responses
   * have ended with that, as a server closes only connections that are idle by then.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.node.close();
    if (this.views.end() > 0) await new Promise((resolve) => setTimeout(resolve, RESPONSES_MS));
  }

  /** Takes all devices of this process away; may be called twice. */
  leave(): Promise<void> {
    return (this.#left ??= this.#leave());
  }

  async #leave(): Promise<void> {
    this.#ignore();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FAREWELL_MS).unref()));
    await Promise.race([this.node.leaveAll(), late]);
    clearTimeout(timer);
    this.views.close();
  }
}

/** Redis where it is configured, this process otherwise. */
function storeFor(config: PresenceConfig, connection: RedisConnection, onBug: (error: unknown) => void): PresenceStore {
  const { replay, lastSeenForMs } = config;
  const { backend, pubsub } = connection;
  const wanted = config.backend ?? backend.mode;
  if (wanted === 'redis') backend.require('presence');
  if (wanted !== 'memory' && backend.configured) {
    return new RedisPresenceStore({ commands: backend.commands, pubsub, replay, lastSeenForMs });
  }
  const publish = (topic: Topic, text: string) => void pubsub.publish(channelOf(topic), text).catch(onBug);
  return new MemoryPresenceStore({ replay, lastSeenForMs, publish });
}
