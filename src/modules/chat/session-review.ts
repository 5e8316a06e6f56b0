import { Logger } from '@nestjs/common';
import { outsideRequests } from '@roost/redis';
import { SessionUnavailableError, type Sessions } from '@roost/session';
import type { Visitor } from './chat.presence.js';

/** As old as the copy of a session may be with which somebody came in while Redis was lost. */
const EVERY_MS = 300_000;
/** No handshake takes longer. */
const REMEMBERED_MS = 60_000;
/** When it is tried again, after Redis could not be asked. */
const AGAIN_MS = 5_000;

/**
 * Ends what was opened with a session that is gone: told of each end, and by looking, after ends may have gone unheard and
 * once in a while, as nobody tells of sessions whose time ran out.
 */
export class SessionReview {
  readonly #logger = new Logger('Chat');
  readonly #stops: (() => void)[];
  /** Handle → when it was heard that the session has ended, the oldest first. */
  readonly #ended = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #asked = false;
  #closed = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly visitors: () => readonly Visitor[],
    private readonly end: (handles: ReadonlySet<string>) => void,
  ) {
    this.#stops = [sessions.onEnded(({ handle }) => this.#hear(handle)), sessions.onGap(() => void this.look())];
    this.#lookIn(EVERY_MS);
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
  }

  /** Whether it ended lately: who came in at that moment was read before, and was not there yet to be ended. */
  endedLately(handle: string): boolean {
    return this.#ended.has(handle);
  }

  /** Asks for the sessions of all who are here, one user after the other; once more when it is asked for meanwhile. */
  async look(): Promise<void> {
    this.#asked = true;
    if (this.#looking) return;
    this.#looking = true;
    let inMs = EVERY_MS;
    try {
      while (this.#asked) {
        this.#asked = false;
        await this.#lookOnce();
      }
    } catch (error) {
      inMs = AGAIN_MS;
      if (!(error instanceof SessionUnavailableError)) this.#logger.error(error);
    }
    this.#looking = false;
    this.#lookIn(inMs);
  }

  #hear(handle: string): void {
    const now = performance.now();
    this.#ended.delete(handle); // so that the newest stands last
    this.#ended.set(handle, now);
    for (const [oldest, at] of this.#ended) {
      if (at > now - REMEMBERED_MS) break;
      this.#ended.delete(oldest);
    }
    this.end(new Set([handle]));
  }

  async #lookOnce(): Promise<void> {
    const here = new Map<string, Set<string>>();
    for (const { userId, session } of this.visitors()) here.set(userId, (here.get(userId) ?? new Set()).add(session));
    for (const [userId, handles] of here) {
      // Twice: one that gets another id at this very moment is missing once.
      for (let looked = 0; looked < 2 && handles.size > 0; looked++) {
        for (const { handle } of await this.sessions.list(userId)) handles.delete(handle);
      }
      if (handles.size > 0) this.end(handles);
    }
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = outsideRequests(() => setTimeout(() => void this.look(), ms).unref());
  }
}
