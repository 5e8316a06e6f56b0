import { outsideRequests } from '@roost/redis';

/** Says to every process that someone types, or has stopped: by user and socket. */
export type SayTyping = (userId: string, source: string, active: boolean) => void;

/** Who types in a room. Known in memory only: what is heard of others ends by itself, as those who would end it may die. */
export class Typists {
  /** Sockets of this process that type: when it ends, and when it was last said. */
  readonly #here = new Map<string, { timer: NodeJS.Timeout; saidAt: number }>();
  /** User → sockets anywhere. */
  readonly #heard = new Map<string, Map<string, NodeJS.Timeout>>();

  constructor(
    private readonly typingMs: number,
    private readonly say: SayTyping,
    private readonly changed: (userId: string, active: boolean) => void,
  ) {}

  /** Who types now. */
  get users(): readonly string[] {
    return [...this.#heard.keys()];
  }

  /** A keystroke at a socket of this process. Said at the first, and again while it goes on, at most once per `typingMs`. */
  keystroke(userId: string, source: string): void {
    const now = performance.now();
    const before = this.#here.get(source);
    clearTimeout(before?.timer);
    const timer = later(this.typingMs, () => this.stop(userId, source));
    const isNews = before === undefined || now - before.saidAt >= this.typingMs;
    this.#here.set(source, { timer, saidAt: isNews ? now : before.saidAt });
    if (isNews) this.say(userId, source, true);
  }

  /** The socket has stopped, or has sent what was typed, or is closed. */
  stop(userId: string, source: string): void {
    const typing = this.#here.get(source);
    if (typing === undefined) return;
    clearTimeout(typing.timer);
    this.#here.delete(source);
    this.say(userId, source, false);
  }

  /** What a process has said. */
  hear(userId: string, source: string, active: boolean): void {
    const sources = this.#heard.get(userId) ?? new Map<string, NodeJS.Timeout>();
    clearTimeout(sources.get(source));
    if (active) {
      const forget = later(2 * this.typingMs + 1_000, () => this.hear(userId, source, false));
      sources.set(source, forget);
      if (this.#heard.has(userId)) return;
      this.#heard.set(userId, sources);
      this.changed(userId, true);
    } else if (sources.delete(source) && sources.size === 0) {
      this.#heard.delete(userId);
      this.changed(userId, false);
    }
  }

  close(): void {
    for (const { timer } of this.#here.values()) clearTimeout(timer);
    for (const sources of this.#heard.values()) for (const timer of sources.values()) clearTimeout(timer);
  }
}

function later(ms: number, run: () => void): NodeJS.Timeout {
  return outsideRequests(() => setTimeout(run, ms).unref());
}
