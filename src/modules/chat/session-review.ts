import { Logger } from '@nestjs/common';
import { outsideRequests } from '@roost/redis';
import { SessionUnavailableError, type Sessions } from '@roost/session';
import type { Visitor } from './chat.presence.js';

/** As old as the copy of a session may be with which somebody came in while Redis was lost. */
const EVERY_MS = 300_000;
/** When it is tried again, after Redis could not be asked. */
const AGAIN_MS = 5_000;

/**
 * Ends what was opened with a session that is gone: told of each end, and by looking, after ends may have gone unheard and
 * once in a while, as nobody tells of sessions whose time ran out.
 */
export class SessionReview {
  readonly #logger = new Logger('Chat');
  readonly #stops: (() => void)[];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly visitors: () => readonly Visitor[],
    private readonly end: (handles: ReadonlySet<string>) => void,
  ) {
    this.#stops = [sessions.onEnded(({ handle }) => end(new Set([handle]))), sessions.onGap(() => void this.look())];
    this.#lookIn(EVERY_MS);
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
  }

  /** Asks for the sessions of all who are here, one user after the other. Those that come together are one. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  async #look(): Promise<void> {
    let inMs = EVERY_MS;
    try {
      const visitors = this.visitors();
      for (const userId of new Set(visitors.map((each) => each.userId))) {
        this.end(await this.#goneOf(userId, visitors));
      }
    } catch (error) {
      inMs = AGAIN_MS;
      if (!(error instanceof SessionUnavailableError)) this.#logger.error(error);
    } finally {
      this.#lookIn(inMs);
    }
  }

  async #goneOf(userId: string, visitors: readonly Visitor[]): Promise<ReadonlySet<string>> {
    const gone = new Set(visitors.filter((each) => each.userId === userId).map(({ session }) => session));
    // Twice: one that gets another id at this very moment is missing once.
    for (let looked = 0; looked < 2 && gone.size > 0; looked++) {
      for (const { handle } of await this.sessions.list(userId)) gone.delete(handle);
    }
    return gone;
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = outsideRequests(() => setTimeout(() => void this.look(), ms).unref());
  }
}
