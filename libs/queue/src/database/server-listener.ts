import { outsideRequests } from '@roost/redis';
import type { PgNotification, PgPoolClient } from 'bullmq';

const RETRY_EVERY_MS = 500;
const BEAT_EVERY_MS = 10_000;
const ANSWER_WITHIN_MS = 3_000;

type OnPayload = (payload: string | undefined) => void;

/** One connection that listens on all channels. It is made anew after a loss, and asked for a sign of life when it is silent. */
export class ServerListener {
  readonly #channels = new Map<string, Set<OnPayload>>();
  readonly #lostAlready = new WeakSet<PgPoolClient>();
  #client: Promise<PgPoolClient> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly connect: () => Promise<PgPoolClient>,
    private readonly onError: (error: Error) => void,
  ) {}

  /** Resolves when it listens. Rejects when it cannot now, and then listens to nothing. */
  async listen(channel: string, onPayload: OnPayload): Promise<() => Promise<void>> {
    const listeners = this.#channels.get(channel) ?? new Set();
    const isNew = listeners.size === 0;
    listeners.add(onPayload);
    this.#channels.set(channel, listeners);
    const end = async () => {
      listeners.delete(onPayload);
      if (listeners.size > 0) return;
      this.#channels.delete(channel);
      const client = await this.#client?.catch(() => undefined); // it never listened
      if (client && !this.#closed) await client.query(`UNLISTEN ${quoted(channel)}`).catch(() => undefined); // it broke
    };
    try {
      const client = await (this.#client ??= this.#open());
      if (isNew) await client.query(`LISTEN ${quoted(channel)}`);
      return end;
    } catch (error) {
      await end();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#beat);
    this.#client?.then(
      (client) => client.release(true),
      () => undefined, // it is not open
    );
  }

  async #open(): Promise<PgPoolClient> {
    try {
      const client = await this.connect();
      if (this.#closed) {
        client.release(true);
        throw new Error('Connection is closed.');
      }
      client.on('notification', (notification) => this.#notified(notification));
      client.on('error', (error) => this.#lost(client, error));
      client.on('end', () => this.#lost(client, new Error('Connection ended')));
      this.#watch(client);
      return client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  #notified({ channel, payload }: PgNotification): void {
    for (const onPayload of this.#channels.get(channel) ?? []) onPayload(payload ?? '');
  }

  /** A connection can look open for a quarter of an hour while nobody is at its other end. */
  #watch(client: PgPoolClient): void {
    clearInterval(this.#beat);
    const ask = () => {
      const question = { text: 'SELECT 1', query_timeout: ANSWER_WITHIN_MS } as unknown as string;
      client.query(question).catch((error: Error) => this.#lost(client, error));
    };
    this.#beat = outsideRequests(() => setInterval(ask, BEAT_EVERY_MS).unref());
  }

  #lost(client: PgPoolClient, error: Error): void {
    if (this.#closed || this.#lostAlready.has(client)) return;
    this.#lostAlready.add(client);
    clearInterval(this.#beat);
    this.onError(error);
    client.release(true);
    this.#client = undefined;
    this.#again();
  }

  #again(): void {
    this.#retry = outsideRequests(() => setTimeout(() => void this.#restore(), RETRY_EVERY_MS).unref());
  }

  async #restore(): Promise<void> {
    try {
      const client = await (this.#client ??= this.#open());
      for (const channel of this.#channels.keys()) await client.query(`LISTEN ${quoted(channel)}`);
      for (const onPayload of [...this.#channels.values()].flatMap((each) => [...each])) onPayload(undefined);
    } catch {
      if (!this.#closed && this.#client === undefined) this.#again(); // `lost` tries again by itself
    }
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
