import type { LoggerService } from '@nestjs/common';
import { InvalidOptionsError, type HealthReport, type RedisConnection } from '@roost/redis';
import { FeatureFlags } from './flags/feature-flags.service.js';
import { Flags } from './flags/flags.service.js';
import { KnownValues } from './flags/known-values.js';
import { SessionStores } from './middleware/session-stores.js';
import type { CodeStore } from './one-time/code.store.js';
import { MemoryCodeStore } from './one-time/memory-code.store.js';
import { OneTimeCodes } from './one-time/one-time-codes.service.js';
import { OneTimeTokens } from './one-time/one-time-tokens.service.js';
import { Pepper } from './one-time/pepper.js';
import { RedisCodeStore } from './one-time/redis-code.store.js';
import type { SessionConfig } from './session.config.js';
import type { SessionMetrics } from './session.metrics.js';
import { MemorySessionStore } from './sessions/memory-session.store.js';
import { RedisSessionStore } from './sessions/redis-session.store.js';
import { SessionCopies } from './sessions/session.copies.js';
import { ENDINGS_CHANNEL, SessionEndings } from './sessions/session.endings.js';
import { SessionShelf } from './sessions/session.shelf.js';
import type { SessionNews, SessionStore } from './sessions/session.store.js';
import { Sessions } from './sessions/sessions.service.js';
import { UnheardEnds } from './sessions/unheard-ends.js';
import { processClock, StoreChoice, type Clock } from './store-choice.js';
import { MemoryValueStore } from './values/memory-value.store.js';
import { RedisValueStore } from './values/redis-value.store.js';
import type { ValueStore } from './values/value.store.js';

export interface SessionRoomParts {
  readonly config: SessionConfig;
  readonly connection: Pick<RedisConnection, 'backend' | 'pubsub' | 'keyPrefix'>;
  readonly metrics: SessionMetrics;
  readonly logger: Pick<LoggerService, 'warn' | 'error'>;
  /** The clock of this process, for what it keeps itself. */
  readonly clock?: Clock;
}

/** All that one application has of sessions, codes, tokens and flags, put together. */
export class SessionRoom {
  readonly sessions: Sessions;
  readonly stores: SessionStores;
  readonly flags: Flags;
  readonly features: FeatureFlags;
  readonly codes: OneTimeCodes;
  readonly tokens: OneTimeTokens;
  readonly #parts: SessionRoomParts;
  readonly #choice: StoreChoice<SessionStore>;
  readonly #copies: SessionCopies;
  readonly #unheard: UnheardEnds;
  readonly #endings: SessionEndings;
  readonly #known: KnownValues;
  readonly #shelf: SessionShelf;
  #unfollow: (() => void) | undefined;

  /** @throws InvalidOptionsError without a pepper in production when codes may be in Redis. */
  constructor(parts: SessionRoomParts) {
    const { config, connection, metrics, logger, clock = processClock } = parts;
    const { backend, pubsub, keyPrefix } = connection;
    const { commands } = backend;
    this.#parts = parts;
    const choice = <Store>(redis: Store, memory: Store) => new StoreChoice(backend, config.backend, redis, memory);

    this.#copies = new SessionCopies(config.outage === 'local' ? config.copies : 0, config.copyForMs, clock);
    this.#unheard = new UnheardEnds(config.copies);
    this.#endings = new SessionEndings(pubsub, this.#copies, logger);
    const tellHere = (news: SessionNews) => this.#endings.tell(news);
    this.#choice = choice<SessionStore>(
      new RedisSessionStore({ commands, keyPrefix, channel: pubsub.wire(ENDINGS_CHANNEL) }),
      new MemorySessionStore({ clock, tell: tellHere }),
    );
    this.#shelf = new SessionShelf(this.#choice, this.#copies, this.#unheard, config, metrics, tellHere);
    this.sessions = new Sessions(this.#shelf, this.#endings, config);
    this.stores = new SessionStores(this.#shelf, config);

    const values = choice<ValueStore>(new RedisValueStore(commands), new MemoryValueStore(clock));
    this.#known = new KnownValues(values, pubsub, clock, logger);
    this.flags = new Flags(values);
    this.features = new FeatureFlags(this.#known, config, metrics);
    this.tokens = new OneTimeTokens(values, metrics);
    const codes = choice<CodeStore>(new RedisCodeStore(commands), new MemoryCodeStore(clock));
    this.codes = new OneTimeCodes(codes, config.codes, metrics, this.#pepper());
    metrics.show(() => this.#copies.size);
  }

  /** Listens to other processes. */
  async open(): Promise<void> {
    const { backend } = this.#parts.connection;
    this.#unheard.open((id) => this.#shelf.endUnheard(id));
    this.#unfollow = backend.onChange(({ to }) => {
      if (to === 'redis') void this.#unheard.tell();
    });
    const listening = Promise.all([this.#endings.open(), this.#known.open()]);
    if (backend.current === 'redis') await listening; // else it would wait for a Redis that is not there
  }

  close(): void {
    this.#unfollow?.();
    this.#unheard.close();
    this.#endings.close();
    this.#known.close();
  }

  /** What health shows. */
  report(): HealthReport {
    const { degraded, byChoice } = this.#choice;
    return {
      status: degraded ? 'degraded' : 'up',
      backend: degraded ? 'none' : byChoice ? 'memory' : 'redis',
      outage: this.#parts.config.outage,
      copies: this.#copies.size,
      unheardEnds: this.#unheard.size,
    };
  }

  #pepper(): (() => Pepper) | undefined {
    const { config, connection, logger } = this.#parts;
    if (config.pepper === false) return undefined;
    if (config.pepper !== undefined) {
      const pepper = Pepper.of(config.pepper);
      return () => pepper;
    }
    if (config.backend === 'memory' || !connection.backend.configured) {
      const pepper = Pepper.random(); // no code leaves this process
      return () => pepper;
    }
    if (config.production) {
      throw new InvalidOptionsError('SessionModule', [
        'One-time codes in Redis need a `pepper`: without one, whoever reads Redis finds them out within a second. Make one ' +
          'with `openssl rand -base64 32` and give it to all processes, or say `pepper: false` when there are no codes',
      ]);
    }
    const pepper = Pepper.open();
    let warned = false;
    return () => {
      if (!warned) {
        warned = true;
        logger.warn('One-time codes have no `pepper`: whoever reads Redis finds them out. Production refuses this.', {
          event: 'session.no-pepper',
        });
      }
      return pepper;
    };
  }
}
