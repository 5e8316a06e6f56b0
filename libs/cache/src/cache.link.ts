import type { Key, RedisConnection, Tracking, TrackingListener } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { CacheKeys } from './cache.keys.js';
import type { Changes } from './near/changes.js';
import type { ServerClock } from './near/server-clock.js';
import type { TagVersions } from './near/tag-versions.js';

/** How long the run of a server is remembered: longer than anything that it stored. */
const RUN_LIFE_MS = 180 * 86_400_000;

export interface LinkParts {
  readonly connection: RedisConnection;
  readonly keys: CacheKeys;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  /** Repeats what Redis was not told, before anything that it has is served again. */
  readonly replay: () => Promise<void>;
}

/** Hears from Redis of every change, and sees to it that a Redis that has forgotten invalidations serves nothing old. */
export class CacheLink implements TrackingListener {
  constructor(private readonly parts: LinkParts) {}

  /** Begins to listen. */
  track(mode: 'auto' | 'off'): Tracking {
    const { connection, keys } = this.parts;
    const { entries, tags } = keys.prefixes;
    return connection.track({
      prefixes: [entries, tags],
      probe: keys.probe(randomBytes(9).toString('base64url')),
      channel: `cache:${keys.space}`,
      mode,
      listener: this,
    });
  }

  changed(names: readonly string[]): void {
    this.parts.changes.changed(names);
  }

  flushed(): void {
    this.parts.changes.flushed();
  }

  lost(): void {
    this.parts.changes.lost();
  }

  coherent(): void {
    this.parts.changes.restored();
  }

  /**
   * Another run of the server, or another server, may have lost what this one or others were told was done: the last second
   * before a crash, what a replica had not received. Everything is invalidated, once for all processes.
   */
  async prepare({ runId }: { readonly runId: string | undefined }): Promise<void> {
    const { connection, keys, tags, clock, replay } = this.parts;
    const { commands } = connection.backend;
    await clock.sync();
    if (runId !== undefined && (await commands.read<string | null>('GET', keys.run)) !== runId) {
      await tags.bump([''], RUN_LIFE_MS);
      await this.#remember(keys.run, runId);
    }
    await replay();
  }

  async #remember(run: Key, runId: string): Promise<void> {
    await this.parts.connection.backend.commands.write('SET', run, runId, 'PX', RUN_LIFE_MS);
  }
}
