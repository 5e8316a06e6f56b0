import { outsideRequests } from '@roost/redis';
import type { OnlineDevice, PresenceMember } from '../presence.member.js';
import type { GatewayConfig } from '../presence.config.js';
import type { CloseReason, PresenceMetrics } from '../presence.metrics.js';
import type { PresenceEvent } from '../watching/presence.event.js';
import type { Identity } from './gateway.options.js';
import { PresenceSummary } from './presence-summary.js';
import type { SocketRoom } from './socket-room.js';
import { CLOSE, Frame, type Wire } from './wire.js';

/** A socket's place in a room. */
export interface Seat {
  readonly room: SocketRoom;
  readonly member: PresenceMember;
}

/** How often it is looked whether a slow socket has caught up, in ms. */
const LOOK_MS = 50;
/** How long what a client said just before it went may take to be handled, in ms. */
const LAST_WORDS_MS = 1_000;

/** One socket and who is behind it. Its events are handled one after the other; what it is told is bounded. */
export class Peer {
  readonly seats = new Map<string, Seat>();
  online: Promise<OnlineDevice> | undefined;
  /** Ends the socket when its right to be connected ends. */
  expiry: NodeJS.Timeout | undefined;
  readonly #summaries = new Map<string, PresenceSummary>();
  #order: Promise<void> = Promise.resolve();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Whether it was ended from this side: what it said before counts no more. */
  #dismissed = false;

  constructor(
    readonly wire: Wire,
    readonly identity: Identity,
    private readonly config: Pick<GatewayConfig, 'maxWaiting' | 'slowBytes' | 'stuckBytes'>,
    private readonly metrics: Pick<PresenceMetrics, 'closed' | 'summarized'>,
  ) {}

  get userId(): string {
    return this.identity.userId;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Runs it after all that came before; not once the socket was ended from this side. It must not reject. */
  inOrder(run: () => Promise<void>): void {
    if (this.#closed) return;
    if (++this.#waiting > this.config.maxWaiting) return this.close(CLOSE.policy, 'flood');
    this.#order = this.#order.then(async () => {
      if (!this.#dismissed) await run();
      this.#waiting--;
    });
  }

  /** What has to come, or the socket ends. */
  tell(frame: Frame): void {
    if (this.#closed) return;
    this.wire.send(frame);
    if (this.wire.bufferedBytes > this.config.stuckBytes) this.close(CLOSE.tryAgainLater, 'stuck');
  }

  /** What is worth nothing later. */
  tellMaybe(frame: Frame): void {
    if (this.wire.bufferedBytes <= this.config.slowBytes) this.tell(frame);
  }

  /** What can be summed up while the socket is slow. */
  tellPresence(frame: Frame, event: PresenceEvent): void {
    const summary = this.#summaries.get(event.room);
    if (summary !== undefined) return summary.add(event);
    if (this.wire.bufferedBytes <= this.config.slowBytes) return this.tell(frame);
    if (this.#closed) return;
    this.#summaries.set(event.room, new PresenceSummary(event));
    this.metrics.summarized();
    this.#timer ??= outsideRequests(() => setInterval(() => this.#catchUp(), LOOK_MS).unref());
  }

  /** Ends the socket from this side. */
  close(code: number, reason: CloseReason): void {
    if (this.#closed) return;
    this.metrics.closed(reason);
    this.#dismissed = true;
    this.ended();
    if (reason === 'stuck' || reason === 'dead') this.wire.terminate();
    else this.wire.close(code, reason);
  }

  /** Resolves when what the client said before it went is handled, or has taken too long. */
  async settled(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = outsideRequests(() => setTimeout(resolve, LAST_WORDS_MS).unref());
    });
    await Promise.race([this.#order, late]);
    clearTimeout(timer);
  }

  /** The socket is at its end: nothing is sent any more. */
  ended(): void {
    this.#closed = true;
    this.wire.ended();
    this.#summaries.clear();
    clearInterval(this.#timer);
    clearTimeout(this.expiry);
  }

  #catchUp(): void {
    if (this.wire.bufferedBytes > this.config.slowBytes / 2) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const events = [...this.#summaries.values()].map((summary) => summary.event);
    this.#summaries.clear();
    for (const event of events) this.tell(new Frame('presence', event));
  }
}
