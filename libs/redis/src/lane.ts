import type { Redis } from 'ioredis';
import { once } from 'node:events';
import { internalsOf } from './client-internals.js';
import { Cork } from './cork.js';
import { classifyError, safeMessage, type ErrorClass } from './error-class.js';
import { outsideRequests } from './outside-requests.js';

export interface LaneEvents {
  /** The connection can take commands. */
  ready(): void;
  /** The connection was lost, or an attempt to open it failed. */
  lost(errorClass: ErrorClass, wasReady: boolean, message: string | undefined): void;
}

export interface Heartbeat {
  readonly everyMs: number;
  readonly deadlineMs: number;
}

/**
 * One connection that Roost owns. A client's `status` is not health: a socket can look open for a quarter of an hour
 * while nobody answers, so an idle connection is asked for a sign of life, and destroyed when it gives none.
 */
export class Lane {
  readonly cork = new Cork();
  /** When the present socket became ready, in monotonic ms. */
  readyAt = -Infinity;
  #heartbeat: NodeJS.Timeout | undefined;
  #lastError: Error | undefined;
  #wasReady = false;
  #closing = false;
  #tried = false;

  constructor(
    readonly client: Redis,
    heartbeat: Heartbeat,
    events: LaneEvents,
  ) {
    // Attached before connecting: without a listener an error would be printed, or end the process.
    client.on('error', (error) => {
      this.#lastError = error;
      this.#tried = true;
    });
    client.on('ready', () => {
      this.#tried = true;
      this.readyAt = performance.now();
      this.#wasReady = true;
      this.#lastError = undefined;
      this.#beat(heartbeat);
      events.ready();
    });
    client.on('close', () => {
      clearInterval(this.#heartbeat);
      this.#tried = true;
      const wasReady = this.#wasReady;
      this.#wasReady = false;
      if (this.#closing) return;
      const error = this.#lastError;
      events.lost(error ? classifyError(error) : 'unreachable', wasReady, error && safeMessage(error));
    });
  }

  /** Whether a command would be sent: the client goes on calling itself ready for a moment after the server has left. */
  get ready(): boolean {
    return this.client.status === 'ready' && this.#socket?.writable === true;
  }

  /** Whether nobody has needed this connection yet. */
  get unused(): boolean {
    return this.client.status === 'wait';
  }

  /** Whether it is being opened for the first time, and nothing has gone wrong yet. */
  get opening(): boolean {
    return !this.#tried && !this.unused;
  }

  /** The next command leaves together with the others of this turn. */
  hold(): void {
    this.cork.hold(this.#socket);
  }

  /** Begins to connect; failures come back as `lost` events, and the client goes on trying with pauses of its own. */
  open(): void {
    if (!this.#closing && this.unused) this.#connect();
  }

  /** Redis is known to be there: connects now instead of after the client's pause. */
  hurry(): void {
    if (this.#closing || this.client.status !== 'reconnecting') return this.open();
    const internals = internalsOf(this.client);
    clearTimeout(internals.reconnectTimeout ?? undefined); // left running, it could not be ended any more
    internals.reconnectTimeout = null;
    this.#connect();
  }

  /** Resolves to whether the connection can take commands within the time. */
  async whenReady(withinMs: number): Promise<boolean> {
    if (!this.ready) await withDeadline(once(this.client, 'ready'), withinMs);
    return this.ready;
  }

  /** Gives up this socket and everything that waits on it, and connects anew. */
  reset(): void {
    if (this.#closing || this.client.status === 'wait') return;
    this.#socket?.destroy();
  }

  /** Says goodbye within the deadline; a frozen server is not waited for. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#heartbeat);
    this.cork.flush();
    if (this.ready) await withDeadline(this.client.quit(), deadlineMs);
    const socket = this.#socket;
    this.client.disconnect();
    socket?.destroy();
  }

  get #socket() {
    return internalsOf(this.client).stream;
  }

  #connect(): void {
    // The socket, and all that it will say, would else belong to the request that needed it first.
    outsideRequests(() => this.client.connect()).catch((error: Error) => (this.#lastError = error));
  }

  #beat({ everyMs, deadlineMs }: Heartbeat): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => {
      const socket = this.#socket;
      const bytes = socket?.bytesRead;
      // Any byte that arrives is a sign of life: a reply may be stuck behind a long script and yet Redis is there.
      const deadline = setTimeout(() => {
        if (socket !== this.#socket || socket?.bytesRead !== bytes) return;
        socket?.destroy(new Error(`The heartbeat timed out: no sign of life in ${deadlineMs} ms`));
      }, deadlineMs).unref();
      this.client.ping().then(
        () => clearTimeout(deadline),
        () => clearTimeout(deadline),
      );
    }, everyMs).unref();
  }
}

async function withDeadline(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
  await Promise.race([work.catch((error: unknown) => error), deadline]);
  clearTimeout(timer);
}
