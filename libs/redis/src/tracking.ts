import type { LoggerService } from '@nestjs/common';
import { safeMessage } from './error-class.js';
import type { Lane } from './lane.js';
import { outsideRequests } from './outside-requests.js';
import { isRedisUnavailable } from './redis.errors.js';
import { LINK_MODES, linkFor, type LinkContext, type TrackingLink } from './tracking-modes.js';
import { refuses, TrackingSelfTest } from './tracking-self-test.js';
import { checkTrackingOptions, type TrackingMode, type TrackingOptions } from './tracking.options.js';

/** How long a link that is given up may take to say goodbye. */
const GOODBYE_MS = 500;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** What a tracking is made of: without `clients` there is no Redis. */
export interface TrackingContext extends Omit<LinkContext, 'clients'> {
  readonly clients: LinkContext['clients'] | undefined;
  readonly logger: LoggerService;
  /** It became coherent, or ceased to be. */
  moved(coherent: boolean): void;
}

/**
 * Hears of each change of keys under some prefixes, from the server itself where it can be brought to tell. Coherent
 * only while that is known to work: a write of its own was told, and a heartbeat finds a dead connection in 2 seconds.
 * Made by `RedisConnection.track`.
 */
export class Tracking {
  #mode: TrackingMode | undefined;
  #coherent = false;
  #since = new Date();
  #link: TrackingLink | undefined;
  /** Counts what makes an attempt to become coherent void: each socket, loss and restart. */
  #attempt = 0;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #opened = false;
  #infoRefused = false;
  readonly #selfTest = new TrackingSelfTest();

  constructor(
    private readonly options: TrackingOptions,
    private readonly context: TrackingContext,
  ) {
    checkTrackingOptions(options);
    if (this.#hopeless) this.#mode = 'off';
  }

  /** Undefined until one was found. */
  get mode(): TrackingMode | undefined {
    return this.#mode;
  }

  /** Whether every change is told. */
  get coherent(): boolean {
    return this.#coherent;
  }

  /** When the present mode or coherence began. */
  get since(): Date {
    return this.#since;
  }

  /**
   * The channel in Redis to which scripts have to publish the name of each key that they change, without the connection's
   * prefix (several names are parted by newlines); empty when that is not needed. Let a refusal pass (`redis.pcall`):
   * until a mode was found, nobody knows whether publishing is allowed.
   */
  get announceTo(): string {
    const { clients, pubsub } = this.context;
    if (clients === undefined || this.#mode === 'resp2' || this.#mode === 'resp3') return '';
    const forbidden = this.#mode === 'off' && this.options.mode !== 'off';
    return forbidden ? '' : pubsub.wire(this.options.channel);
  }

  /** @internal The connections that are this tracking's own. */
  get lanes(): readonly { readonly role: string; readonly lane: Lane }[] {
    return this.#link?.lane ? [{ role: 'tracking', lane: this.#link.lane }] : [];
  }

  /** @internal Begins to look for a mode. */
  open(): void {
    if (this.#opened || this.#hopeless) return;
    this.#opened = true;
    this.#use(0);
  }

  /** @internal Redis is known to be there. */
  hurry(): void {
    this.#tell(() => this.options.listener.reconnected?.());
    if (this.#retry === undefined) this.#link?.hurry();
    else this.#tryAgain();
  }

  /** Gives up what stands and looks for a mode anew: to be called when Redis was replaced, or allows more than before. */
  restart(): void {
    if (!this.#opened) return;
    this.#setMode(undefined);
    this.#use(0);
  }

  /** Says `lost` when it was coherent, and nothing more. */
  async close(deadlineMs: number): Promise<void> {
    this.#opened = false;
    this.#interrupt();
    const link = this.#link;
    this.#link = undefined;
    await link?.close(deadlineMs);
  }

  get #hopeless(): boolean {
    return this.options.mode === 'off' || this.context.clients === undefined;
  }

  /** Turns to a mode; after the last one nothing is left to try. */
  #use(index: number): void {
    this.#interrupt();
    void this.#link?.close(GOODBYE_MS);
    this.#link = undefined;
    const mode = LINK_MODES[index];
    if (mode === undefined) return this.#setMode('off');
    const context = { ...this.context, clients: this.context.clients! };
    const current = (run: () => void) => link === this.#link && run();
    const link: TrackingLink = linkFor(mode, this.options, context, {
      ready: () => current(() => void outsideRequests(() => this.#establish(link, index))),
      lost: () => current(() => this.#interrupt()),
      changed: (names) => current(() => this.#changed(names)),
      flushed: () => current(() => this.#tell(() => this.options.listener.flushed())),
    });
    this.#link = link;
    link.open();
  }

  /** Arms the link, tests it and lets the listener prepare. What comes between makes it void, and `ready` begins anew. */
  async #establish(link: TrackingLink, index: number): Promise<void> {
    this.#interrupt();
    const attempt = this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    try {
      const mode = LINK_MODES[index];
      const refusal = await this.#selfTest.refusalOf(link, isCurrent, mode === this.#mode);
      if (!isCurrent()) return;
      if (refusal !== undefined) return this.#refused(index, refusal);
      this.#setMode(mode);
      const runId = await this.#runId();
      if (isCurrent()) await this.options.listener.prepare({ runId });
      if (isCurrent()) this.#setCoherent(true);
    } catch (error) {
      if (isCurrent()) this.#fail(error as Error);
    }
  }

  async #runId(): Promise<string | undefined> {
    if (this.#infoRefused) return undefined;
    try {
      const info = await this.context.commands.read<string>('INFO', 'server');
      return /^run_id:(\w+)/m.exec(info)?.[1];
    } catch (error) {
      if (!refuses(error as Error)) throw error;
      this.#infoRefused = true; // not asked again: each refusal counts against the connection
      return undefined;
    }
  }

  #refused(index: number, why: string): void {
    const [mode, next = 'off'] = LINK_MODES.slice(index);
    const message = `Redis does not tell of changed keys by ${mode}: ${why}. Turning to ${next}.`;
    this.context.logger.warn(message, { event: 'redis.tracking' });
    this.#use(index + 1);
  }

  /** Tries anew after a pause, which grows until it works. */
  #fail(error: Error): void {
    this.#interrupt();
    if (this.#failures === 0 && !isRedisUnavailable(error)) {
      this.context.logger.warn(`Tracking: ${safeMessage(error)}`, { event: 'redis.tracking' });
    }
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.#tryAgain(), pauseMs).unref();
  }

  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#link?.reset();
  }

  /** What was under way is void, and changes may be missed. */
  #interrupt(): void {
    this.#attempt++;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#setCoherent(false);
  }

  #changed(names: readonly string[]): void {
    const { probe, listener } = this.options;
    if (names.includes(probe.name)) this.#selfTest.heard();
    const keys = names.filter((name) => name !== probe.name);
    if (keys.length > 0) this.#tell(() => listener.changed(keys));
  }

  #setMode(mode: TrackingMode | undefined): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#since = new Date();
  }

  #setCoherent(coherent: boolean): void {
    if (coherent === this.#coherent) return;
    this.#coherent = coherent;
    this.#since = new Date();
    if (coherent) this.#failures = 0;
    this.context.moved(coherent);
    const { listener } = this.options;
    this.#tell(() => (coherent ? listener.coherent() : listener.lost()));
  }

  /** A listener that throws has not taken in what it was told. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      outsideRequests(() => this.#fail(error as Error));
    }
  }
}
