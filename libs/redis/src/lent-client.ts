import type { Command, Redis } from 'ioredis';
import { internalsOf } from './client-internals.js';
import { CommandWatch } from './command-watch.js';
import { outsideRequests } from './outside-requests.js';

/** How long a command of a client that gives up may take. */
const COMMAND_TIMEOUT_MS = 1_000;
/** How long one of a client that waits may take: silence for this long is no script any more. */
const SCRIPT_TIMEOUT_MS = 3_000;
/** A little more than the client waits before it destroys a socket whose other end does not say goodbye. */
const CUT_WITHIN_MS = 150;

/**
 * A client that a library drives, and that Roost opened and closes. Its own `connect` and `disconnect` do not fit: the
 * first rejects for good when Redis is not there yet, the second does not end a client that is between two tries.
 */
export class LentClient {
  constructor(
    readonly client: Redis,
    private readonly onEnd?: (lent: LentClient) => void,
  ) {}

  get ready(): boolean {
    return this.client.status === 'ready' && internalsOf(this.client).stream?.writable === true;
  }

  /** Begins to connect, also after an end; the client goes on trying by itself until it is ended. */
  open(): void {
    const { status } = this.client;
    if (status === 'wait' || status === 'end') this.#connect();
  }

  /** Redis is known to be there: connects now instead of after the client's pause. */
  hurry(): void {
    if (this.client.status !== 'reconnecting') return this.open();
    const internals = internalsOf(this.client);
    clearTimeout(internals.reconnectTimeout ?? undefined); // left running, it could not be ended any more
    internals.reconnectTimeout = null;
    this.#connect();
  }

  /** Resolves to whether it can take commands, within the time. */
  async whenReady(withinMs: number): Promise<boolean> {
    if (!this.ready) await this.#heard('ready', withinMs);
    return this.ready;
  }

  /** Disconnects and rejects what waits. It may be opened again. */
  async cut(): Promise<void> {
    const { status } = this.client;
    if (status === 'wait' || status === 'end') return;
    endClient(this.client);
    if (this.client.status !== 'end') await this.#heard('end', CUT_WITHIN_MS);
  }

  /** Ends it for good: what was sent is answered within the time, or rejects. */
  async end(withinMs = 0): Promise<void> {
    this.onEnd?.(this);
    if (withinMs > 0 && this.ready) {
      void this.client.quit().catch(() => undefined); // it rejects when Redis is lost meanwhile
      await this.#heard('end', withinMs);
    }
    await this.cut();
  }

  async #heard(event: 'ready' | 'end', withinMs: number): Promise<void> {
    const { client } = this;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, withinMs);
      client.once(event, done);
      function done(): void {
        clearTimeout(timer);
        client.off(event, done);
        resolve();
      }
    });
  }

  #connect(): void {
    // What a try ends with comes as an event, too; there is always a next one.
    outsideRequests(() => this.client.connect()).catch(() => undefined);
  }
}

/** Disconnects; a client that is between two tries would neither end nor reject what waits. */
export function endClient(client: Redis): void {
  const waiting = client.status === 'reconnecting';
  client.disconnect();
  if (!waiting) return;
  const internals = internalsOf(client);
  internals.setStatus('end');
  internals.flushQueue(new Error('Connection is closed.'));
}

/**
 * Makes a client fail fast: commands wait for its first try to connect, and fail at once later while it is lost. What is
 * not answered in a second is given up, and the socket with it.
 */
export function failFast(client: Redis): void {
  const tried = () => (client.options.enableOfflineQueue = false);
  client.once('ready', tried);
  client.once('close', tried);
  watch(client, COMMAND_TIMEOUT_MS, true); // what is queued must not run after its caller has given up
}

/** Gives up what a server does not answer, and the socket with it. Scripts of job queues may run for long, over many jobs. */
export function endure(client: Redis): void {
  watch(client, SCRIPT_TIMEOUT_MS, false);
}

function watch(client: Redis, withinMs: number, queuedToo: boolean): void {
  const commands = new CommandWatch(client, withinMs, queuedToo);
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream) => {
    commands.begin();
    return send(command, stream);
  };
}
