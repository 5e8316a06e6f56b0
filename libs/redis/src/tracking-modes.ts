import type { Socket } from 'node:net';
import type { ClientFactory } from './client-factory.js';
import { internalsOf } from './client-internals.js';
import type { Commands } from './commands.js';
import type { ConnectionMetrics } from './connection-metrics.js';
import { Lane } from './lane.js';
import type { PubSub } from './pubsub.js';
import { Resp3Pushes } from './resp3-pushes.js';
import type { TrackingMode, TrackingOptions } from './tracking.options.js';

/** What links are made of. */
export interface LinkContext {
  readonly keyPrefix: string;
  readonly commands: Commands;
  readonly pubsub: PubSub;
  readonly clients: ClientFactory;
  readonly metrics: ConnectionMetrics;
}

interface LinkEvents {
  /** It can be armed. */
  ready(): void;
  /** Changes may be missed from now on. */
  lost(): void;
  /** Names without the connection's prefix. */
  changed(names: readonly string[]): void;
  flushed(): void;
}

/** One way to hear of changes. */
export interface TrackingLink {
  readonly lane?: Lane;
  /** Begins to connect, and goes on trying. */
  open(): void;
  /** Redis is known to be there. */
  hurry(): void;
  /** Asks to be told of changes; to be done at each `ready`. */
  arm(): Promise<void>;
  /** Causes a message about the probe. */
  provoke(): Promise<unknown>;
  /** Rejects unless the server is seen to be there, so that its silence is an answer. */
  confirm(): Promise<unknown>;
  /** Gives up what stands; `ready` follows. */
  reset(): void;
  close(deadlineMs: number): Promise<void>;
}

const INVALIDATIONS = '__redis__:invalidate';
const HEARTBEAT = { everyMs: 1_000, deadlineMs: 1_000 };

/** Every write, by whomever, is told by the server. No NOLOOP, no default mode: both forget keys without a word. */
abstract class ServerLink implements TrackingLink {
  readonly lane: Lane;
  protected readonly broadcast: readonly string[];
  readonly #wirePrefix: string;

  constructor(
    protocol: 2 | 3,
    private readonly options: TrackingOptions,
    private readonly context: LinkContext,
    protected readonly events: LinkEvents,
  ) {
    const { clients, metrics, keyPrefix } = context;
    this.#wirePrefix = `${keyPrefix}:`;
    this.broadcast = ['BCAST', ...options.prefixes.flatMap((prefix) => ['PREFIX', this.#wirePrefix + prefix])];
    // Resubscribed by the client, a connection could not be told to track any more, and would hear nothing.
    const client = clients.create('command', { protocol, autoResubscribe: false });
    this.lane = new Lane(client, HEARTBEAT, {
      ready: () => events.ready(),
      lost: (errorClass, wasReady) => {
        metrics.error(errorClass);
        if (!wasReady) return;
        metrics.reconnect('tracking');
        events.lost();
      },
    });
  }

  abstract arm(): Promise<void>;

  open(): void {
    this.lane.open();
  }

  hurry(): void {
    this.lane.hurry();
  }

  provoke(): Promise<unknown> {
    return this.context.commands.write('SET', this.options.probe, '', 'PX', 1_000);
  }

  confirm(): Promise<unknown> {
    return this.lane.client.ping();
  }

  reset(): void {
    this.lane.reset();
  }

  close(deadlineMs: number): Promise<void> {
    return this.lane.close(deadlineMs);
  }

  /** Takes what the server said: names, or nothing for a flush of any database. */
  protected told(keys: unknown): void {
    if (keys === null) return this.events.flushed();
    if (!Array.isArray(keys)) return; // somebody published to the server's channel
    const names = keys.map(String).filter((name) => name.startsWith(this.#wirePrefix));
    if (names.length > 0) this.events.changed(names.map((name) => name.slice(this.#wirePrefix.length)));
  }
}

/** A protocol 2 connection to which the server redirects what it has to say to that connection itself. */
class Resp2Link extends ServerLink {
  constructor(options: TrackingOptions, context: LinkContext, events: LinkEvents) {
    super(2, options, context, events);
    // Never `message`, which joins names with commas.
    this.lane.client.on('messageBuffer', (channel: Buffer, keys: unknown) => {
      if (channel.toString() === INVALIDATIONS) this.told(keys);
    });
  }

  async arm(): Promise<void> {
    const { client } = this.lane;
    const id = (await client.call('CLIENT', 'ID')) as number; // forbidden once it is subscribed
    await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, ...this.broadcast);
    await client.subscribe(INVALIDATIONS);
  }
}

/** A protocol 3 connection that gets pushes: where redirection, or the channel, is refused. */
class Resp3Link extends ServerLink {
  constructor(options: TrackingOptions, context: LinkContext, events: LinkEvents) {
    super(3, options, context, events);
    const { client } = this.lane;
    client.on('connect', () => this.#readAlong(internalsOf(client).stream!));
  }

  async arm(): Promise<void> {
    await this.lane.client.call('CLIENT', 'TRACKING', 'ON', ...this.broadcast);
  }

  #readAlong(socket: Socket): void {
    const pushes = new Resp3Pushes(([kind, keys]) => {
      if (kind instanceof Buffer && kind.toString() === 'invalidate') this.told(keys);
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        pushes.write(chunk);
      } catch (error) {
        socket.destroy(error as Error); // what was not understood may have been a change
      }
    });
  }
}

/** Writers tell of what they change: nothing is heard of writes by others, of expiry and of flushes. */
class PubSubLink implements TrackingLink {
  #gap = false;
  #closed = false;
  #offGap: (() => void) | undefined;
  #subscription: Promise<() => void> | undefined;

  constructor(
    private readonly options: TrackingOptions,
    private readonly context: LinkContext,
    private readonly events: LinkEvents,
  ) {}

  open(): void {
    this.#offGap = this.context.pubsub.onGap(({ phase }) => {
      this.#gap = phase === 'lost';
      if (this.#gap) this.events.lost();
      else this.events.ready();
    });
    this.events.ready();
  }

  /** The connection hurries its subscriptions itself. */
  hurry(): void {}

  async arm(): Promise<void> {
    await this.provoke(); // a refusal is known before anything waits for a subscription
    if (this.#closed) return;
    const { options, context, events } = this;
    this.#subscription ??= context.pubsub.subscribe(options.channel, (message) => events.changed(message.split('\n')));
    await this.#subscription;
    if (this.#gap) throw new Error('The subscription to changes does not stand');
  }

  provoke(): Promise<unknown> {
    // Not by PubSub.publish: what Redis refuses would be heard within this process all the same.
    const { commands, pubsub } = this.context;
    return commands.read('PUBLISH', pubsub.wire(this.options.channel), this.options.probe.name);
  }

  confirm(): Promise<never> {
    return Promise.reject(new Error('The channel of changes is silent: its subscription may be half-open'));
  }

  /** There is nothing to give up: the subscription is the connection's. */
  reset(): void {
    this.events.ready();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#offGap?.();
    void this.#subscription?.then((stop) => stop());
  }
}

const LINKS = { resp2: Resp2Link, resp3: Resp3Link, pubsub: PubSubLink };

/** How one can hear of changes, the best first. */
export const LINK_MODES = ['resp2', 'resp3', 'pubsub'] as const satisfies readonly TrackingMode[];

/** Makes the link of a mode. */
export function linkFor(
  mode: (typeof LINK_MODES)[number],
  ...made: ConstructorParameters<typeof Resp2Link>
): TrackingLink {
  return new LINKS[mode](...made);
}
