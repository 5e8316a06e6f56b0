import { isRedisUnavailable, outsideRequests } from '@roost/redis';

/** How often Redis is tried while something is pending, and might be heard. */
const TRY_EVERY_MS = 100;
/** So many are sent at a time. */
const BATCH = 200;

/** How what is pending is made good. */
export interface Replay {
  /** Whether Redis may answer. */
  possible(): boolean;
  removeKeys(keys: readonly string[]): Promise<unknown>;
  bumpTags(tags: readonly string[]): Promise<unknown>;
  /** Everything is invalidated: more was pending than is kept. */
  clear(): Promise<unknown>;
  onError(error: unknown): void;
}

/**
 * Invalidations that Redis was not told of, or perhaps not. Until it is, nothing that Redis has may be served here. They are
 * repeated until they succeed: to invalidate twice is harmless.
 */
export class PendingInvalidations {
  /** Each with the number of its last invalidation: one that comes while it is repeated is repeated again. */
  readonly #keys = new Map<string, number>();
  readonly #tags = new Map<string, number>();
  /** The number of the last invalidation of everything; 0 for none. */
  #all = 0;
  #last = 0;
  #timer: NodeJS.Timeout | undefined;
  #replaying: Promise<void> | undefined;
  #closed = false;

  constructor(
    private readonly most: number,
    private readonly replay: Replay,
  ) {}

  /** How many there are; 0 when Redis knows them all. */
  get size(): number {
    return this.#keys.size + this.#tags.size + Number(this.#all > 0);
  }

  addKeys(keys: readonly string[]): void {
    for (const key of keys) this.#keys.set(key, ++this.#last);
    this.#bound();
  }

  addTags(tags: readonly string[]): void {
    for (const tag of tags) this.#tags.set(tag, ++this.#last);
    this.#bound();
  }

  addAll(): void {
    this.#all = ++this.#last;
    this.#bound();
  }

  /** Tells Redis now, when it may listen. */
  tryNow(): Promise<void> {
    this.#replaying ??= this.#run().finally(() => (this.#replaying = undefined));
    return this.#replaying;
  }

  /** Tells Redis what it can still be told. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.size > 0) await this.tryNow();
  }

  #bound(): void {
    const added = this.#keys.size + this.#tags.size;
    if (added > this.most || (this.#all > 0 && added > 0)) this.#all = ++this.#last; // also when that is under way
    if (this.#all > 0) {
      this.#keys.clear();
      this.#tags.clear();
    }
    this.#later();
  }

  #later(): void {
    if (this.#timer !== undefined || this.#closed || this.size === 0) return;
    this.#timer = outsideRequests(() =>
      setTimeout(() => {
        this.#timer = undefined;
        void this.tryNow();
      }, TRY_EVERY_MS).unref(),
    );
  }

  async #run(): Promise<void> {
    try {
      while (this.size > 0 && this.replay.possible()) {
        const all = this.#all;
        if (all > 0) await this.replay.clear();
        if (this.#all === all) this.#all = 0;
        await drain(this.#tags, (tags) => this.replay.bumpTags(tags));
        await drain(this.#keys, (keys) => this.replay.removeKeys(keys));
      }
    } catch (error) {
      if (!isRedisUnavailable(error)) this.replay.onError(error);
    }
    this.#later();
  }
}

/** What was added meanwhile, or again, stays. */
async function drain(
  pending: Map<string, number>,
  send: (batch: readonly string[]) => Promise<unknown>,
): Promise<void> {
  while (pending.size > 0) {
    const batch = [...pending].slice(0, BATCH);
    await send(batch.map(([each]) => each));
    for (const [each, number] of batch) if (pending.get(each) === number) pending.delete(each);
  }
}
