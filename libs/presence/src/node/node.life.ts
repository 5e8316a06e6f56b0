import type { LoggerService } from '@nestjs/common';
import { outsideRequests } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { PresenceConfig } from '../presence.config.js';
import type { PresenceMetrics } from '../presence.metrics.js';
import type { Change, DeadNode, PresenceStore, Topic } from '../stores/presence.store.js';
import { bidFarewell, sweep } from './departures.js';
import { inBatches } from './in-batches.js';
import type { LocalMembers } from './local-members.js';
import type { OwnedTopics } from './owned-topics.js';

/** What a {@link NodeLife} stands on. */
export interface LifeParts {
  readonly config: Pick<PresenceConfig, 'leaseMs' | 'beatMs' | 'goneAfterMs'>;
  readonly store: PresenceStore;
  /** Whether the store can be asked now. */
  readonly reachable: () => boolean;
  readonly metrics: Pick<PresenceMetrics, 'swept'>;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
  readonly members: LocalMembers;
  readonly owned: OwnedTopics;
  /** Tells the store of all members, and of what it has not heard; rejects when it does not hear it now. */
  readonly tellAll: () => Promise<void>;
  /** Looks after the graces of a topic. */
  readonly follow: (topic: Topic, change: Change) => void;
  readonly isUnused: (topic: Topic) => boolean;
  /** The store knows all members of this process again. */
  readonly onTold: () => void;
  /** Runs what may fail; never rejects. */
  readonly attempt: (run: () => Promise<void>) => Promise<void>;
}

/**
 * Gives one sign of life for all devices of this process, and cleans up after processes that died. Whatever the store forgot
 * or did not hear is mended in one way: under the next incarnation all devices are told again, and then what is left of the
 * one before is taken away.
 */
export class NodeLife {
  readonly #base = randomBytes(16).toString('base64url');
  #incarnation = 1;
  /** Earlier incarnations of which something may be left. */
  readonly #former = new Set<string>();
  #registered = false;
  #stale = false;
  #beatenAt = performance.now();
  #sweepFrom: number;
  /** The store was away, or has forgotten: others may not have told again yet who is with them. */
  #patientUntil = 0;
  #beating: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #left = false;

  constructor(private readonly parts: LifeParts) {
    this.#sweepFrom = this.#leaseFromNow();
  }

  /** This process, as the store knows it now. */
  get id(): string {
    return `${this.#base}.${this.#incarnation}`;
  }

  /** Whether all devices of this process are taken away, or being so. */
  get left(): boolean {
    return this.#left;
  }

  /** For how long nobody is told to be gone, in ms: they may be with others. */
  get patienceMs(): number {
    return this.#until(this.#patientUntil);
  }

  /** For how long no grace is over, in ms: a process that was just started does not know what Redis did not hear before. */
  get gracePatienceMs(): number {
    return this.#until(Math.max(this.#patientUntil, this.#sweepFrom));
  }

  start(): void {
    if (this.parts.store.name === 'memory') return; // nobody else is there to hear it
    const wait = () => {
      if (!this.#left) this.#timer = setTimeout(() => void this.beat().finally(wait), this.parts.config.beatMs).unref();
    };
    outsideRequests(() => void this.beat().finally(wait));
  }

  /** The store did not hear something, or may have forgotten it: the next sign of life tells all again. */
  doubt(): void {
    this.#stale = true;
  }

  /**
   * The store is away, or back. Others need the time of a lease to be heard again, and until then nobody is taken for dead;
   * what comes back may be older than what was lost.
   */
  reachabilityChanged(): void {
    this.#sweepFrom = this.#leaseFromNow();
    if (this.#registered) this.#patientUntil = this.#sweepFrom;
    this.#stale ||= this.#registered || this.parts.members.size > 0;
    void this.beat();
  }

  /** A sign of life, and all that goes with it. Never rejects; those that come together are one. */
  beat(): Promise<void> {
    return (this.#beating ??= this.parts.attempt(() => this.#beat()).finally(() => (this.#beating = undefined)));
  }

  /**
   * Takes all devices of this process away. With other processes there, users have their grace to come back to one of
   * those; the last one tells that they are gone.
   */
  async leaveAll(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    clearTimeout(this.#timer);
    await this.#beating;
    const { store, config, owned, attempt } = this.parts;
    if (!this.parts.reachable()) return; // others find out when the lease is over
    const leaving = { node: this.id, topics: owned.topics, maybeOthers: this.patienceMs > 0 };
    await attempt(() => bidFarewell(leaving, store, config.goneAfterMs));
  }

  async #beat(): Promise<void> {
    const { store, config, logger, owned, isUnused } = this.parts;
    if (this.#left || !this.parts.reachable()) return;
    const { known, dead } = await store.beat(this.id, config.leaseMs + config.beatMs, this.#maySweep());
    if (!known && this.#registered) {
      this.#stale = true;
      this.#patientUntil = this.#leaseFromNow();
      const event = 'presence.forgotten';
      logger.warn('The store had forgotten this process. Its members are told again.', { event });
    }
    this.#registered = true;
    const now = performance.now();
    // Time was lost, here or there: what looks dead may not have been heard for the same reason.
    if (now - this.#beatenAt > config.leaseMs) this.#sweepFrom = this.#leaseFromNow();
    this.#beatenAt = now;
    if (this.#stale) await this.#tellAgain();
    if (this.#maySweep()) for (const each of dead) await this.#sweep(each);
    await owned.tidy(this.id, isUnused);
  }

  /** When others will have had the time to be heard; never while the store is away: it may answer before it is said to be back. */
  #leaseFromNow(): number {
    return this.parts.reachable() ? performance.now() + this.parts.config.leaseMs : Infinity;
  }

  /** How long until then, in ms; no longer than a lease. */
  #until(moment: number): number {
    return Math.min(Math.max(0, moment - performance.now()), this.parts.config.leaseMs);
  }

  #maySweep(): boolean {
    return performance.now() >= this.#sweepFrom;
  }

  async #tellAgain(): Promise<void> {
    const { store, config, members, owned, tellAll, follow } = this.parts;
    this.#stale = false;
    this.#former.add(this.id);
    this.#incarnation++;
    try {
      await store.beat(this.id, config.leaseMs + config.beatMs, false);
      await owned.moveTo(this.id, members.all());
      await tellAll();
      const seenAtMs = await store.now();
      for (const former of this.#former) {
        await inBatches(owned.topics, async (topic) => {
          follow(topic, await store.leaveNode(topic, former, seenAtMs, config.goneAfterMs));
        });
        await store.bury(former);
        this.#former.delete(former);
      }
    } catch (error) {
      this.#stale = true;
      throw error;
    }
    this.parts.onTold();
  }

  async #sweep(dead: DeadNode): Promise<void> {
    const { store, config, metrics, logger, owned } = this.parts;
    const { topics, gone } = await sweep(dead, store, config.goneAfterMs, async (topic, change) => {
      if (change.graceMs !== null) await owned.own(this.id, topic);
      this.parts.follow(topic, change);
    });
    metrics.swept();
    logger.log('Cleaned up after a process that is gone.', { event: 'presence.swept', topics, gone });
  }
}
