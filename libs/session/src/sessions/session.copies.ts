import type { Clock } from '../store-choice.js';
import type { StoredSession } from './session.store.js';

interface Copy {
  readonly session: StoredSession;
  readonly atMs: number;
}

/**
 * Sessions as Redis last told them, for the time in which it cannot be asked. A copy is never younger than its session:
 * who heard that a session ended keeps none of it, even when an earlier answer arrives later.
 */
export class SessionCopies {
  readonly #copies = new Map<string, Copy>();
  readonly #ended = new Map<string, number>();

  constructor(
    private readonly limit: number,
    private readonly keepMs: number,
    private readonly clock: Clock,
  ) {}

  get size(): number {
    return this.#copies.size;
  }

  keep(id: string, session: StoredSession): void {
    if (this.limit === 0 || session.retired || this.#ended.has(id)) return;
    const atMs = this.clock();
    this.#copies.set(id, { session, atMs }); // stays where it stood: moving what is used leaves holes in a Map
    for (const [oldest, copy] of this.#copies) {
      if (this.#copies.size <= this.limit && copy.atMs + this.keepMs > atMs) break;
      this.#copies.delete(oldest);
    }
  }

  /** The session with what it has left now. */
  find(id: string): StoredSession | undefined {
    const copy = this.#copies.get(id);
    if (copy === undefined) return undefined;
    const agedMs = this.clock() - copy.atMs;
    const { session } = copy;
    const leftMs = session.leftMs - agedMs;
    if (agedMs < this.keepMs && leftMs > 0) return { ...session, leftMs, nowMs: session.nowMs + agedMs };
    this.#copies.delete(id);
    return undefined;
  }

  /** Its session is as it was told no more. */
  drop(id: string): void {
    this.#copies.delete(id);
  }

  /** Its session has ended, or has another id. */
  end(id: string): void {
    this.#copies.delete(id);
    const now = this.clock();
    this.#ended.delete(id); // so that the newest stands last
    this.#ended.set(id, now + this.keepMs);
    for (const [oldest, until] of this.#ended) {
      if (this.#ended.size <= this.limit && until > now) break;
      this.#ended.delete(oldest);
    }
  }

  /** Ends may have gone unheard. */
  clear(): void {
    this.#copies.clear();
  }
}
