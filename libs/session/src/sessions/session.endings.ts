import type { LoggerService } from '@nestjs/common';
import type { PubSub } from '@roost/redis';
import type { SessionCopies } from './session.copies.js';
import type { SessionEndReason, SessionNews } from './session.store.js';

/** A session that ended, wherever that was. Of sessions whose time ran out nobody is told. */
export interface SessionEnded {
  readonly handle: string;
  readonly user: string | undefined;
  readonly reason: SessionEndReason;
}

/** Where processes tell each other which sessions have ended. */
export const ENDINGS_CHANNEL = 'sessions';

/** Hears of sessions that ended in any process, and tells those who hold something open for them. */
export class SessionEndings {
  readonly #listeners = new Set<(ended: SessionEnded) => void>();
  readonly #gapListeners = new Set<() => void>();
  readonly #stop: (() => void)[] = [];

  constructor(
    private readonly pubsub: PubSub,
    private readonly copies: SessionCopies,
    private readonly logger: Pick<LoggerService, 'error'>,
  ) {}

  /** Resolves once it listens. */
  async open(): Promise<void> {
    this.#stop.push(this.pubsub.onGap(({ phase }) => phase === 'restored' && this.#missed()));
    this.#stop.push(await this.pubsub.subscribe(ENDINGS_CHANNEL, (message) => this.#hear(message)));
  }

  close(): void {
    for (const stop of this.#stop.splice(0)) stop();
  }

  on(listener: (ended: SessionEnded) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onGap(listener: () => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  /** What this process has ended by itself, without a Redis. */
  tell(news: SessionNews): void {
    this.#take(news);
  }

  #hear(message: string): void {
    try {
      this.#take(JSON.parse(message) as SessionNews);
    } catch (error) {
      this.logger.error('A message about sessions cannot be read', { event: 'session.message', error: String(error) });
    }
  }

  #missed(): void {
    this.copies.clear();
    for (const listener of this.#gapListeners) this.#call('onGap', listener);
  }

  #take({ id, handle, user, reason }: SessionNews): void {
    this.copies.end(id);
    if (reason === 'rotated') return;
    for (const listener of this.#listeners) this.#call('onEnded', () => listener({ handle, user, reason }));
  }

  #call(event: string, listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.logger.error(`A listener of ${event} threw`, { event: 'session.listener', error: String(error) });
    }
  }
}
