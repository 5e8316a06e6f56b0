import { outsideRequests, type Key, type RedisConnection, type Tracking } from '@roost/redis';
import { setTimeout as delay } from 'node:timers/promises';
import type { CacheKeys } from './cache.keys.js';

/** How long those who hear only what is announced are remembered, and how often they say that they are there. */
const MARK_LIFE_MS = 60_000;
const MARK_EVERY_MS = 20_000;
/** By then everybody who is told by the server has heard of the mark, or knows that his link is lost. */
const HEARD_WITHIN_MS = 2_500;

export interface AnnouncementParts {
  readonly connection: RedisConnection;
  readonly keys: CacheKeys;
  readonly tracking: () => Tracking;
  readonly report: (error: unknown) => void;
}

/**
 * Whether changes have to be announced. A process whom the server tells of changes need not announce its own, unless some
 * other process is not told by the server: that one leaves a mark, of which the others are told as of any change.
 */
export class Announcements {
  readonly channel: string;
  /** Whether somebody listens, as far as is known; true while it is not known. */
  #heeded = true;
  #asked = 0;
  #renewal: NodeJS.Timeout | undefined;

  constructor(private readonly parts: AnnouncementParts) {
    this.channel = `cache:${parts.keys.space}`;
  }

  /** Where scripts have to tell of changes, as Redis names it; empty for nowhere. */
  get to(): string {
    const { connection } = this.parts;
    const tracking = this.parts.tracking();
    if (tracking.announceTo !== '' || tracking.mode === 'off') return tracking.announceTo;
    return tracking.coherent && !this.#heeded ? '' : connection.pubsub.wire(this.channel);
  }

  /** Changes are missed: whether somebody listens is not known any more. */
  doubt(): void {
    this.#asked++;
    this.#heeded = true;
    clearInterval(this.#renewal);
  }

  /** Looks for those who listen; who is one of them tells the others, and waits until they have heard. */
  async prepare(): Promise<void> {
    if (this.parts.tracking().mode !== 'pubsub') return this.#look();
    await this.#mark();
    await delay(HEARD_WITHIN_MS, undefined, { ref: false });
    const renew = () => {
      this.#mark().catch(() => this.parts.tracking().restart()); // forgotten, it would not be told of changes any more
    };
    clearInterval(this.#renewal);
    this.#renewal = outsideRequests(() => setInterval(renew, MARK_EVERY_MS).unref());
  }

  /** The mark was made, renewed, or has ended. */
  changed(): void {
    if (this.parts.tracking().mode === 'pubsub') return;
    this.#look().catch((error: unknown) => this.parts.report(error)); // it goes on announcing
  }

  close(): void {
    clearInterval(this.#renewal);
  }

  async #look(): Promise<void> {
    const asked = ++this.#asked;
    this.#heeded = true;
    const there = await this.#commands.read<number>('EXISTS', this.#key);
    if (asked === this.#asked) this.#heeded = there > 0;
  }

  async #mark(): Promise<void> {
    await this.#commands.write('SET', this.#key, '1', 'PX', MARK_LIFE_MS);
  }

  get #key(): Key {
    return this.parts.keys.listeners;
  }

  get #commands() {
    return this.parts.connection.backend.commands;
  }
}
