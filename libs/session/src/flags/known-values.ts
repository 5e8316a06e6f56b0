import type { LoggerService } from '@nestjs/common';
import { Key, type PubSub } from '@roost/redis';
import { SessionUnavailableError } from '../session.errors.js';
import type { Clock, StoreChoice } from '../store-choice.js';
import { ExpiringMap } from '../values/expiring-map.js';
import type { StoredValue, ValueStore } from '../values/value.store.js';

/** Where processes tell each other which values have changed. */
const VALUES_CHANNEL = 'features';

/** A value that another process has set; null when it was cleared. */
type Change = readonly [name: string, value: string | null, ttlMs: number];

interface Known {
  readonly value: string | null;
  readonly freshUntil: number;
}

/** A value, and whether Redis could not be asked whether it still is the one. */
export interface KnownValue {
  readonly value: string | undefined;
  readonly stale: boolean;
}

/** That there is no such value, for as long as nobody says otherwise. */
const NONE_MS = 3_600_000;

/**
 * Values as this process knows them: told of each change, asked for anew after a while, and kept to their end while Redis
 * is lost.
 */
export class KnownValues {
  readonly #known: ExpiringMap<Known>;
  readonly #stop: (() => void)[] = [];
  #freshSince = -Infinity;

  constructor(
    private readonly choice: StoreChoice<ValueStore>,
    private readonly pubsub: PubSub,
    private readonly clock: Clock,
    private readonly logger: Pick<LoggerService, 'error'>,
    /** After how long a value is asked for anew, in case that a change went unheard. */
    private readonly freshMs = 10_000,
  ) {
    this.#known = new ExpiringMap(clock, 'forget', 20_000);
  }

  /** Resolves once it listens. */
  async open(): Promise<void> {
    this.#stop.push(this.pubsub.onGap(() => (this.#freshSince = this.clock())));
    this.#stop.push(await this.pubsub.subscribe(VALUES_CHANNEL, (message) => this.#hear(message)));
  }

  close(): void {
    for (const stop of this.#stop.splice(0)) stop();
  }

  /** Never rejects for an outage. */
  async get(key: Key): Promise<KnownValue> {
    const known = this.#known.find(key.name)?.value;
    if (known && known.freshUntil > this.clock() && known.freshUntil - this.freshMs > this.#freshSince) {
      return { value: known.value ?? undefined, stale: false };
    }
    const askedAt = this.clock();
    try {
      const found = await this.choice.ask('read features', 'read', key.name, (store) => store.get(key));
      this.#learn(key.name, found, askedAt);
      return { value: found?.value, stale: false };
    } catch (error) {
      if (!(error instanceof SessionUnavailableError)) throw error;
      return { value: this.#known.find(key.name)?.value.value ?? undefined, stale: true };
    }
  }

  /** @throws SessionUnavailableError */
  async set(key: Key, value: string, ttlMs: number): Promise<void> {
    await this.choice.ask('set features', 'write', key.name, (store) => store.set(key, value, ttlMs));
    await this.#tell([key.name, value, ttlMs]);
  }

  /** @throws SessionUnavailableError */
  async clear(key: Key): Promise<void> {
    await this.choice.ask('clear features', 'write', key.name, (store) => store.delete(key));
    await this.#tell([key.name, null, NONE_MS]);
  }

  async #tell(change: Change): Promise<void> {
    this.#take(change);
    try {
      await this.pubsub.publish(VALUES_CHANNEL, JSON.stringify(change));
    } catch (error) {
      // It is set: those who did not hear of it will ask.
      this.logger.error('Others were not told of a feature', { event: 'session.features', error: String(error) });
    }
  }

  #hear(message: string): void {
    try {
      this.#take(JSON.parse(message) as Change);
    } catch (error) {
      this.logger.error('A message about features cannot be read', {
        event: 'session.features',
        error: String(error),
      });
    }
  }

  #take([name, value, ttlMs]: Change): void {
    this.#known.set(name, { value, freshUntil: this.clock() + this.freshMs }, ttlMs);
  }

  /** Unless something newer was heard meanwhile. */
  #learn(name: string, found: StoredValue | undefined, askedAt: number): void {
    const known = this.#known.find(name)?.value;
    if (known && known.freshUntil - this.freshMs > askedAt) return;
    const freshUntil = askedAt + this.freshMs;
    this.#known.set(name, { value: found?.value ?? null, freshUntil }, found?.leftMs ?? NONE_MS);
  }
}
