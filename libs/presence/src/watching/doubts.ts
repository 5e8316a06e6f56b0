import { outsideRequests } from '@roost/redis';

export interface DoubtsParts {
  /** How long a user may be missing. */
  readonly confirmMs: number;
  /** Who is there now; undefined when that cannot be said. */
  readonly ask: () => Promise<ReadonlySet<string> | undefined>;
  /** These users are gone. */
  readonly gone: (userIds: readonly string[]) => void;
}

/** Users who were missing when a room was read anew: they have some time to be told again before they are gone. */
export class Doubts {
  /** User → since when, by the clock of this process. */
  readonly #users = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly parts: DoubtsParts) {}

  add(userId: string): void {
    if (!this.#users.has(userId)) this.#users.set(userId, performance.now());
    this.#wait(this.parts.confirmMs);
  }

  /** The user was heard of. */
  delete(userId: string): void {
    this.#users.delete(userId);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer ??= outsideRequests(() => setTimeout(() => void this.#confirm(), ms).unref());
  }

  async #confirm(): Promise<void> {
    const since = performance.now() - this.parts.confirmMs;
    const present = await this.parts.ask();
    this.#timer = undefined;
    if (this.#closed) return;
    if (present === undefined) return this.#wait(this.parts.confirmMs);
    const due = [...this.#users].filter(([, doubtedAt]) => doubtedAt <= since).map(([userId]) => userId);
    for (const userId of due) this.#users.delete(userId);
    const gone = due.filter((userId) => !present.has(userId));
    if (gone.length > 0) this.parts.gone(gone);
    // Who was missing only later has as much time.
    const [oldest] = this.#users.values();
    if (oldest !== undefined) this.#wait(Math.max(1, oldest + this.parts.confirmMs - performance.now()));
  }
}
