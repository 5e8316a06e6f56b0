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
  readonly #users = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly parts: DoubtsParts) {}

  add(userId: string): void {
    this.#users.add(userId);
    this.#wait();
  }

  /** The user was heard of. */
  delete(userId: string): void {
    this.#users.delete(userId);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#closed) return;
    this.#timer ??= outsideRequests(() => setTimeout(() => void this.#confirm(), this.parts.confirmMs).unref());
  }

  async #confirm(): Promise<void> {
    const present = await this.parts.ask();
    this.#timer = undefined;
    if (this.#closed) return;
    if (present === undefined) return this.#wait();
    const gone = [...this.#users].filter((userId) => !present.has(userId));
    this.#users.clear();
    if (gone.length > 0) this.parts.gone(gone);
  }
}
