import { JobHandedBackError, StreamMessageTakenError } from '../queue.errors.js';
import { Appetite } from './appetite.js';
import { attempt } from './attempt.js';
import { heldMessage, type HeldMessage } from './held-message.js';
import type { PendingEntry } from './lua/pending.fragment.js';
import { StreamAcks } from './stream-acks.js';
import { StreamAftermath } from './stream-aftermath.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import { isGroupGone, type StreamGroup } from './stream-group.js';
import type { Delivery, RawEntry } from './stream-message.js';
import type { StreamNotes } from './stream-notes.js';

/** As many messages of one call as do not hold up others. */
const HOLD_AT_ONCE = 500;
/** How long handlers have that are told to stop. */
const LAST_WORDS_MS = 50;

/** What this process has of a group: handed to handlers, so many at a time, and acknowledged when they are done. */
export class StreamDesk {
  readonly #held = new Map<string, HeldMessage>();
  #waiting: HeldMessage[] = [];
  #running = 0;
  #closing = false;
  #roomy: (() => void) | undefined;
  #idle: (() => void) | undefined;
  readonly #appetite: Appetite;
  readonly #acks: StreamAcks;
  readonly #aftermath: StreamAftermath;

  constructor(
    private readonly options: ResolvedStreamConsumer,
    private readonly group: StreamGroup,
    private readonly handle: (delivery: Delivery) => Promise<unknown>,
    private readonly notes: StreamNotes,
  ) {
    this.#appetite = new Appetite(options.concurrency, options.batch);
    const forget = ({ id }: HeldMessage) => void this.#held.delete(id);
    this.#aftermath = new StreamAftermath(options, group, notes, (message) => this.#again(message), forget);
    const finished = (ids: readonly string[]) => {
      for (const id of ids) this.#held.delete(id);
      notes.count('done', ids.length);
    };
    this.#acks = new StreamAcks(group, finished, (error) => notes.fault(error));
  }

  get running(): number {
    return this.#running;
  }

  /** Held, and to be handed to a handler. */
  get waiting(): number {
    return this.#waiting.length + this.#aftermath.delayed;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** Resolves to how many may be read, once there is room for some; to 0 when no more are taken. */
  async room(): Promise<number> {
    while (!this.#closing) {
      const count = this.#room();
      if (count > 0) return count;
      await new Promise<void>((resolve) => (this.#roomy = resolve));
    }
    return 0;
  }

  /** Takes what nobody was given before. */
  take(entries: readonly RawEntry[]): void {
    for (const [id, raw] of entries) {
      if (this.#closing || this.#held.has(id)) continue;
      const message = heldMessage(id, raw ?? [], 0, true);
      this.#held.set(id, message);
      this.#waiting.push(message);
    }
    this.#pump();
  }

  /** Takes what somebody was given before, except for what is here; it goes first. */
  takeAgain(entries: readonly PendingEntry[]): void {
    const first: HeldMessage[] = [];
    for (const { id, fields, deliveries } of entries) {
      if (this.#closing || this.#held.has(id)) continue;
      const message = heldMessage(id, fields, deliveries, false);
      this.#held.set(id, message);
      if (deliveries < this.options.maxDeliveries) first.push(message);
      else this.#aftermath.bury(message, 'dead', `delivered ${deliveries} times and never acknowledged`);
    }
    this.#waiting = [...first, ...this.#waiting];
    this.#pump();
  }

  /** Redis came back empty: what is here is nowhere else. */
  orphan(): void {
    for (const message of this.#held.values()) message.lost = true;
  }

  /** Gives a sign of life for all that is here, and lets go of what another process has taken over. */
  async keep(): Promise<void> {
    const kept = [...this.#held.values()].filter(({ stage, lost }) => stage !== 'finished' && !lost);
    // Redis is told how often they were handed out, and forgets that it has counted a delivery that is yet to come.
    for (const message of kept) if (message.stage === 'waiting') message.counted = false;
    for (let i = 0; i < kept.length; i += HOLD_AT_ONCE) {
      for (const id of await this.group.hold(kept.slice(i, i + HOLD_AT_ONCE))) this.#letGo(id);
    }
  }

  /**
   * Starts nothing more, lets others have what was not started, and waits so long for what runs. What runs on after that
   * is told to stop, and is nobody else's until this process has been silent for `minIdle`.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#roomy?.();
    this.#aftermath.retire();
    const unstarted = [...this.#held.values()].filter(({ stage }) => stage === 'waiting' || stage === 'delayed');
    this.#waiting = [];
    this.#aftermath.release(unstarted);
    if (!(await this.#whenIdle(deadlineMs))) {
      for (const { delivery } of this.#held.values()) delivery?.abort(new JobHandedBackError());
      await this.#whenIdle(LAST_WORDS_MS);
    }
    await Promise.all([this.#acks.close(), this.#aftermath.settled()]);
  }

  #room(): number {
    const { batch, concurrency } = this.options;
    // When all fail, no more are begun than can be remembered.
    if (this.#aftermath.delayed >= concurrency + 4 * batch) return 0;
    return this.#appetite.count(this.#waiting.length + this.#running);
  }

  #pump(): void {
    while (!this.#closing && this.#running < this.options.concurrency && this.#waiting.length > 0) {
      const message = this.#waiting.shift()!;
      message.stage = 'running';
      this.#running++;
      void this.#work(message);
    }
    if (this.#running === 0) this.#idle?.();
    if (this.#roomy === undefined || this.#room() === 0) return;
    const roomy = this.#roomy;
    this.#roomy = undefined;
    roomy();
  }

  async #work(message: HeldMessage): Promise<void> {
    message.deliveries++;
    if (message.counted || (await this.#announce(message))) await this.#run(message);
    this.#running--;
    this.#pump();
  }

  async #run(message: HeldMessage): Promise<void> {
    message.counted = false;
    const startedAt = performance.now();
    try {
      await attempt(message, this.options, this.handle);
      message.stage = 'finished';
      this.#acks.add(message.id);
    } catch (error) {
      this.#aftermath.failed(message, error);
    }
    message.delivery = undefined;
    const tookMs = performance.now() - startedAt;
    this.#appetite.took(tookMs);
    this.notes.handled(tookMs);
  }

  /** Has Redis count a delivery before it is made. Resolves to whether it is to be made. */
  async #announce(message: HeldMessage): Promise<boolean> {
    if (message.lost) return true;
    try {
      const [taken] = await this.group.hold([message]);
      if (taken === undefined || message.lost) return true; // it may have been lost meanwhile
      this.#letGo(taken);
      this.#held.delete(taken);
    } catch (error) {
      if (isGroupGone(error)) return true;
      this.notes.fault(error);
      message.deliveries--;
      this.#aftermath.untold(message);
    }
    return false;
  }

  #again(message: HeldMessage): void {
    message.stage = 'waiting';
    this.#waiting.unshift(message);
    this.#pump();
  }

  /** Another process has taken it over. */
  #letGo(id: string): void {
    const message = this.#held.get(id);
    if (message === undefined || message.stage === 'finished' || message.taken || message.lost) return;
    message.taken = true;
    this.notes.count('taken');
    if (message.stage === 'running') return message.delivery?.abort(new StreamMessageTakenError(id));
    this.#aftermath.cancel(message);
    this.#waiting = this.#waiting.filter((each) => each !== message);
    this.#held.delete(id);
  }

  async #whenIdle(withinMs: number): Promise<boolean> {
    if (this.#running === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
    return this.#running === 0;
  }
}
