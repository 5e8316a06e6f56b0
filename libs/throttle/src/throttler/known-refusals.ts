import type { HitLimit, HitVerdict } from './hit-log.js';
import { Recency } from '../stores/recency.js';

/** A refusal, and until when it is what Redis would say, too. */
interface Known {
  readonly limits: readonly HitLimit[];
  readonly verdicts: readonly HitVerdict[];
  readonly answeredAt: number;
  readonly until: number;
}

/**
 * Refusals that cannot have changed since Redis gave them: while a key is refused nothing is counted for it, and nobody
 * can lift its block. They end as soon as anything that was told changes by itself. Bounded.
 */
export class KnownRefusals {
  readonly #entries = new Recency<Known>();

  constructor(
    private readonly maxEntries: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  /** The moment to pass to {@link add}, taken before Redis is asked. */
  moment(): number {
    return this.now();
  }

  /** What Redis would say; undefined when that is not known. */
  find(limits: readonly HitLimit[]): readonly HitVerdict[] | undefined {
    if (this.#entries.size === 0) return undefined;
    const entry = this.#entries.find(nameOf(limits));
    if (entry === undefined) return undefined;
    const now = this.now();
    const { limits: known, verdicts, answeredAt, until } = entry.value;
    if (now >= until) {
      this.#entries.delete(entry);
      return undefined;
    }
    if (!known.every((each, i) => sameNumbers(each, limits[i]!))) return undefined;
    this.#entries.use(entry);
    const elapsed = now - answeredAt;
    return verdicts.map((verdict) => later(verdict, elapsed));
  }

  /** Remembers verdicts of which one refuses. Counted from before Redis was asked, so that none outlives its block. */
  add(limits: readonly HitLimit[], verdicts: readonly HitVerdict[], askedAt: number): void {
    const now = this.now();
    const until = askedAt + Math.min(...verdicts.map(steadyMs));
    if (this.maxEntries === 0 || until <= now) return;
    const name = nameOf(limits);
    const entry = this.#entries.find(name);
    const value = { limits, verdicts, answeredAt: now, until };
    if (entry) {
      entry.value = value;
      this.#entries.use(entry);
      return;
    }
    if (this.#entries.size >= this.maxEntries) this.#entries.delete(this.#entries.oldest!);
    this.#entries.add(name, value);
  }

  clear(): void {
    this.#entries.clear();
  }
}

function nameOf(limits: readonly HitLimit[]): string {
  return limits.length === 1 ? limits[0]!.key.name : limits.map(({ key }) => key.name).join(' ');
}

function sameNumbers(one: HitLimit, other: HitLimit): boolean {
  return one.limit === other.limit && one.ttlMs === other.ttlMs && one.blockMs === other.blockMs;
}

/** How long all that a verdict tells stays true as time goes on. */
function steadyMs({ refused, retryMs, expiresMs, nextMs }: HitVerdict): number {
  return Math.min(refused ? retryMs : Infinity, expiresMs ?? Infinity, nextMs ?? Infinity);
}

function later(verdict: HitVerdict, elapsed: number): HitVerdict {
  const { refused, hits, expiresMs, retryMs, nextMs } = verdict;
  return {
    refused,
    hits,
    expiresMs: expiresMs === null ? null : expiresMs - elapsed,
    retryMs: refused ? retryMs - elapsed : 0,
    nextMs: nextMs === null ? null : nextMs - elapsed,
  };
}
