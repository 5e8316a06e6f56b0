import { outsideRequests, type HealthReport } from '@roost/redis';
import type { Entries } from './entries.js';

interface Entry {
  readonly text: string;
  readonly bytes: number;
  /** Monotonic ms. */
  readonly endsAt: number;
}

const SWEEP_MS = 10_000;
/** A map's slot, the entry and the headers of two strings. */
const OVERHEAD_BYTES = 160;

/** Entries in this process: what was used longest ago leaves first when there is no room, and what has expired soon. */
export class MemoryEntries implements Entries {
  readonly #entries = new Map<string, Entry>(); // the order is that of their use
  #bytes = 0;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly maxBytes: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** What entries take, in bytes, two for each character. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  async get(name: string): Promise<string | null> {
    const entry = this.#alive(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.text;
  }

  accepts(): boolean {
    return true;
  }

  async set(name: string, text: string, _unit: 'PX', ttlMs: number): Promise<void> {
    const bytes = OVERHEAD_BYTES + 2 * (name.length + text.length);
    this.#remove(name);
    if (bytes > this.maxBytes) return;
    this.#entries.set(name, { text, bytes, endsAt: this.now() + ttlMs });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.maxBytes) break;
      this.#remove(oldest);
    }
    this.#sweepLater();
  }

  async exists(name: string): Promise<boolean> {
    return this.#alive(name) !== undefined;
  }

  async unlink(name: string): Promise<boolean> {
    const alive = this.#alive(name) !== undefined;
    this.#remove(name);
    return alive;
  }

  async clear(start: string): Promise<void> {
    for (const name of this.#entries.keys()) if (name.startsWith(start)) this.#remove(name);
  }

  async *scan(start: string): AsyncGenerator<readonly string[]> {
    yield [...this.#entries.keys()].filter((name) => name.startsWith(start) && this.#alive(name) !== undefined);
  }

  /** Drops what has expired. */
  sweep(): void {
    for (const name of this.#entries.keys()) this.#alive(name);
  }

  report(): HealthReport {
    return { status: 'up', backend: 'memory', entries: this.size, bytes: this.bytes };
  }

  close(): void {
    clearTimeout(this.#sweeping);
    this.#entries.clear();
    this.#bytes = 0;
  }

  #alive(name: string): Entry | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.endsAt > this.now()) return entry;
    this.#remove(name);
    return undefined;
  }

  #remove(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0;
    this.#entries.delete(name);
  }

  #sweepLater(): void {
    const sweep = () => {
      this.#sweeping = undefined;
      this.sweep();
      if (this.#entries.size > 0) this.#sweepLater();
    };
    this.#sweeping ??= outsideRequests(() => setTimeout(sweep, SWEEP_MS).unref());
  }
}
