import type { EntryRaw } from 'bullmq';
import type { QueueClock } from './queue-clock.js';

// Dropping the oldest one by one would move all others each time.
const SLACK = 100;

/** What happened in a queue, oldest first. */
export class EventStream {
  readonly #clock: QueueClock;
  readonly #entries: EntryRaw[] = [];
  readonly #listeners = new Set<() => void>();
  #ms = 0;
  #sequence = 0;

  constructor(clock: QueueClock) {
    this.#clock = clock;
  }

  /** The id of the newest event there ever was. */
  get lastId(): string {
    return `${this.#ms}-${this.#sequence}`;
  }

  append(fields: Readonly<Record<string, string | number>>, maxLength: number): string {
    const now = this.#clock.now();
    this.#sequence = now > this.#ms ? 0 : this.#sequence + 1;
    this.#ms = Math.max(now, this.#ms);
    this.#entries.push([this.lastId, Object.entries(fields).flatMap(([name, value]) => [name, `${value}`])]);
    if (this.#entries.length > maxLength + SLACK) this.trim(maxLength);
    for (const listener of this.#listeners) listener();
    return this.lastId;
  }

  /** All that came after the one with this id. */
  after(id: string): EntryRaw[] {
    const last = this.#entries.findLastIndex(([entry]) => !isLater(entry, id));
    return this.#entries.slice(last + 1);
  }

  /** Keeps the newest ones and says how many are gone. */
  trim(maxLength: number): number {
    return this.#entries.splice(0, Math.max(this.#entries.length - maxLength, 0)).length;
  }

  /** Hears of each new event; gives back how to hear no more. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function isLater(id: string, than: string): boolean {
  const [ms = 0, sequence = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherSequence = 0] = than.split('-').map(Number);
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}
