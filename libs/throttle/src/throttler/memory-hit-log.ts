import { outsideRequests } from '@roost/redis';
import { HitLog, type HitLimit, type HitVerdict } from './hit-log.js';
import { Hits } from './hits.js';
import { Recency } from '../stores/recency.js';

export interface MemoryHitLogOptions {
  /** How many keys are remembered; beyond it the one unused for longest is forgotten. */
  readonly maxEntries: number;
  /** The clock, in ms. @default this process' clock, which never steps back */
  readonly now?: () => number;
  /** How often expired entries are removed, in ms. @default 5_000 */
  readonly sweepMs?: number;
  /** Called when a key is forgotten before its time. */
  readonly onEvict?: () => void;
}

/** What is known of one key. */
interface Logged {
  readonly hits: Hits;
  /** Until when `timeToExpire` tells the same moment. */
  anchor: number;
  /** When the block ends; 0 when there was none. */
  blockedUntil: number;
}

/** What a request meets at one key, before anything is counted. */
interface Look {
  readonly limit: HitLimit;
  readonly logged: Logged | undefined;
  readonly refused: boolean;
  /** Whether a block is over, and the hits that led to it do not count any more. */
  readonly over: boolean;
  /** Whether this request is counted, if the other throttlers let it. */
  readonly counted: boolean;
}

/** Counts in this process. Bounded: when full, forgets whom it has not seen for longest. */
export class MemoryHitLog extends HitLog {
  readonly #entries = new Recency<Logged>();
  readonly #maxEntries: number;
  readonly #now: () => number;
  readonly #onEvict: (() => void) | undefined;
  readonly #sweeper: NodeJS.Timeout;
  #evicted = 0;

  constructor({ maxEntries, now = processClock, sweepMs = 5_000, onEvict }: MemoryHitLogOptions) {
    super();
    this.#maxEntries = maxEntries;
    this.#now = now;
    this.#onEvict = onEvict;
    this.#sweeper = outsideRequests(() => setInterval(() => this.sweep(), sweepMs).unref()); // one for all keys
  }

  decide(limits: readonly HitLimit[]): Promise<readonly HitVerdict[]> {
    const now = this.#now();
    const looks = limits.map((limit) => this.#look(limit, now));
    const refused = looks.some((look) => look.refused);
    return Promise.resolve(
      looks.map((look) => (look.refused || !refused ? this.#count(look, now) : leftAlone(look, now))),
    );
  }

  get size(): number {
    return this.#entries.size;
  }

  get evicted(): number {
    return this.#evicted;
  }

  /** Forgets what has expired. */
  sweep(): void {
    const now = this.#now();
    for (const entry of this.#entries) if (expiryOf(entry.value) <= now) this.#entries.delete(entry);
  }

  /** Stops sweeping and forgets everything. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#entries.clear();
  }

  #look(limit: HitLimit, now: number): Look {
    const entry = this.#entries.find(limit.key.name);
    if (entry) this.#entries.use(entry); // who is refused is remembered for as long as they try
    const logged = entry?.value;
    logged?.hits.expire(now);
    const hits = logged?.hits.count ?? 0;
    if (limit.blockMs === 0) {
      const refused = hits >= limit.limit;
      return { limit, logged, refused, over: false, counted: !refused };
    }
    const blockedUntil = logged?.blockedUntil ?? 0;
    if (blockedUntil > now) return { limit, logged, refused: true, over: false, counted: false };
    const over = blockedUntil !== 0;
    return { limit, logged, refused: (over ? 0 : hits) + 1 > limit.limit, over, counted: true };
  }

  #count({ limit, logged: found, refused, over, counted }: Look, now: number): HitVerdict {
    const { ttlMs, blockMs } = limit;
    const logged = found ?? this.#add(limit, now);
    const { hits } = logged;
    if (logged.anchor <= now) logged.anchor = now + ttlMs;
    if (over) {
      hits.clear();
      logged.blockedUntil = 0;
    }
    if (counted) hits.add(now + ttlMs);
    if (blockMs > 0 && counted && refused) logged.blockedUntil = now + blockMs;
    const expiresMs = untilAnchor(logged, now);
    const nextMs = hits.first === undefined ? null : hits.first - now;
    const waitMs = blockMs > 0 ? logged.blockedUntil - now : (nextMs ?? expiresMs ?? 0);
    // Without a block a refused request is not counted, and told as if it were.
    const told = refused && blockMs === 0 ? hits.count + 1 : hits.count;
    return { refused, hits: told, expiresMs, retryMs: refused ? waitMs : 0, nextMs };
  }

  #add({ key, ttlMs }: HitLimit, now: number): Logged {
    if (this.#entries.size >= this.#maxEntries) this.#evict(now);
    const logged = { hits: new Hits(), anchor: now + ttlMs, blockedUntil: 0 };
    this.#entries.add(key.name, logged);
    return logged;
  }

  #evict(now: number): void {
    const oldest = this.#entries.oldest!;
    this.#entries.delete(oldest);
    if (expiryOf(oldest.value) <= now) return;
    this.#evicted++;
    this.#onEvict?.();
  }
}

/** What a throttler says that would have let the request pass, had another not refused it. */
function leftAlone({ logged, over }: Look, now: number): HitVerdict {
  const hits = logged === undefined || over ? undefined : logged.hits;
  const nextMs = hits?.first === undefined ? null : hits.first - now;
  return { refused: false, hits: hits?.count ?? 0, expiresMs: untilAnchor(logged, now), retryMs: 0, nextMs };
}

function untilAnchor(logged: Logged | undefined, now: number): number | null {
  return logged !== undefined && logged.anchor > now ? logged.anchor - now : null;
}

function expiryOf({ hits, anchor, blockedUntil }: Logged): number {
  return Math.max(anchor, blockedUntil, hits.last ?? 0);
}

const { timeOrigin } = performance;

function processClock(): number {
  return Math.floor(timeOrigin + performance.now());
}
