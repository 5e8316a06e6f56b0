import { isRedisUnavailable, servesByChoice, type Backend, type BackendMode } from '@roost/redis';
import { SessionUnavailableError } from './session.errors.js';

/** Every moment of a process, in ms; may be set by tests. */
export type Clock = () => number;

/** Milliseconds since the epoch that never step back. */
export const processClock: Clock = () => performance.timeOrigin + performance.now();

/** Asks the store in Redis, or the one of this process where it serves by choice. In an outage nobody decides. */
export class StoreChoice<Store> {
  constructor(
    private readonly backend: Backend,
    /** The module's own mode; undefined follows the connection's. */
    private readonly mode: BackendMode | undefined,
    private readonly redis: Store,
    private readonly memory: Store,
  ) {}

  /** Whether this process is meant to serve. */
  get byChoice(): boolean {
    return this.mode === 'memory' || (this.backend.current === 'memory' && servesByChoice(this.backend));
  }

  /** Whether Redis ought to serve and does not. */
  get degraded(): boolean {
    return this.mode !== 'memory' && this.backend.current === 'memory' && !servesByChoice(this.backend);
  }

  /**
   * @param what For the error: `read sessions`.
   * @throws SessionUnavailableError when Redis is lost.
   */
  async ask<Answer>(
    what: string,
    direction: 'read' | 'write',
    subject: string,
    ask: (store: Store) => Promise<Answer>,
  ): Promise<Answer> {
    if (this.mode === 'memory') return ask(this.memory);
    if (this.backend.choose(direction, subject) === 'memory') {
      if (servesByChoice(this.backend)) return ask(this.memory);
      throw new SessionUnavailableError(what, false);
    }
    try {
      return await ask(this.redis);
    } catch (error) {
      if (isRedisUnavailable(error)) throw new SessionUnavailableError(what, error.outcomeUnknown, error);
      throw error;
    }
  }
}
