import {
  isRedisUnavailable,
  outsideRequests,
  RedisReplyError,
  type RedisConnection,
  type Tracking,
  type TrackingListener,
} from '@roost/redis';
import { randomBytes } from 'node:crypto';
import { Announcements } from './announcements.js';
import type { CacheKeys } from './cache.keys.js';
import type { Changes } from './near/changes.js';
import type { ServerClock } from './near/server-clock.js';
import type { TagVersions } from './near/tag-versions.js';

/** How long the run of a server is remembered: longer than anything that it stored. */
const RUN_LIFE_MS = 180 * 86_400_000;
const VERIFY_AGAIN_MS = 100;
/** Each new connection is a doubt: at first there are several, one after the other. */
const LOOKS = 5;

export interface LinkParts {
  readonly connection: RedisConnection;
  readonly keys: CacheKeys;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly tracking: 'auto' | 'off';
  /** Repeats what Redis was not told, before anything that it has is served again. */
  readonly replay: () => Promise<void>;
  readonly report: (error: unknown) => void;
}

/** Hears from Redis of every change, and sees to it that a Redis that has forgotten invalidations serves nothing old. */
export class CacheLink implements TrackingListener {
  readonly tracking: Tracking;
  readonly #announcements: Announcements;
  /** Resolves when Redis was first looked at. */
  readonly first: Promise<void>;
  #resolveFirst!: () => void;
  #verified = false;
  /** How often it was doubted: what was asked before the last doubt settles nothing. */
  #doubts = 0;
  #verifying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly parts: LinkParts) {
    const { connection, keys, tracking: mode, report } = parts;
    const { entries, tags } = keys.prefixes;
    this.#announcements = new Announcements({ connection, keys, report, tracking: () => this.tracking });
    this.first = new Promise((resolve) => (this.#resolveFirst = resolve));
    this.tracking = connection.track({
      prefixes: [entries, tags],
      probe: keys.probe(randomBytes(9).toString('base64url')),
      channel: this.#announcements.channel,
      mode,
      listener: this,
    });
  }

  /**
   * Whether this is the Redis that was told of all invalidations. Another run, or another server, may have lost some: the last
   * second before a crash, what a replica had not received yet.
   */
  get verified(): boolean {
    return this.#verified;
  }

  /** Where scripts have to tell of changes; empty for nowhere. */
  get announceTo(): string {
    return this.#announcements.to;
  }

  /** Resolves when it is known, or cannot be found out now; undefined when nobody asks. */
  get verifying(): Promise<void> | undefined {
    return this.#verifying;
  }

  /** Redis was away, and may be another one now. */
  restart(): void {
    this.#doubt();
    this.tracking.restart();
  }

  changed(names: readonly string[]): void {
    if (names.includes(this.parts.keys.listeners.name)) this.#announcements.changed();
    this.parts.changes.changed(names);
  }

  flushed(): void {
    this.parts.changes.flushed();
  }

  lost(): void {
    this.#announcements.doubt();
    this.parts.changes.lost();
    this.#doubt();
  }

  /** Another server may answer behind the same address. */
  reconnected(): void {
    this.#doubt();
  }

  coherent(): void {
    this.parts.changes.restored();
    this.#resolveFirst();
  }

  async prepare({ runId }: { readonly runId: string | undefined }): Promise<void> {
    await this.parts.clock.sync();
    await this.#check(runId, this.#doubts);
    await this.#announcements.prepare();
    await this.parts.replay();
  }

  /** Looks at Redis without waiting for the link; again and again while it does not answer. */
  verify(): Promise<void> {
    clearTimeout(this.#timer);
    this.#verifying ??= outsideRequests(() => this.#look().finally(() => (this.#verifying = undefined)));
    return this.#verifying;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#announcements.close();
  }

  async #look(): Promise<void> {
    try {
      for (let tries = 0; tries < LOOKS && !this.#verified; tries++) {
        const doubts = this.#doubts;
        const info = await this.parts.connection.backend.commands.read<string>('INFO', 'server');
        await this.#check(/^run_id:(\w+)/m.exec(info)?.[1], doubts);
      }
      if (!this.#verified) return this.#again();
      if (this.tracking.mode === 'off') this.#resolveFirst();
    } catch (error) {
      if (error instanceof RedisReplyError || (isRedisUnavailable(error) && error.errorClass === 'auth')) {
        this.#verified = true; // it does not say which one it is
        this.parts.report(error);
      } else this.#again();
    }
  }

  #doubt(): void {
    this.#verified = false;
    this.#doubts++;
    if (!this.#closed) void this.verify();
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#verified) return;
    this.#timer = setTimeout(() => void this.verify(), VERIFY_AGAIN_MS).unref();
  }

  /** What another run has stored is not served any more: all is invalidated, once for all processes. */
  async #check(runId: string | undefined, doubts: number): Promise<void> {
    const { connection, keys, tags } = this.parts;
    const { commands } = connection.backend;
    if (runId !== undefined && (await commands.read<string | null>('GET', keys.run)) !== runId) {
      await tags.bump([''], RUN_LIFE_MS);
      await commands.write('SET', keys.run, runId, 'PX', RUN_LIFE_MS);
    }
    if (doubts === this.#doubts) this.#verified = true; // else another one may have answered
  }
}
