import { Logger } from '@nestjs/common';
import { outsideRequests } from '@roost/redis';
import { DatabaseUnavailableError } from './database.errors.js';
import { outageOf } from './outages.js';

const PROBE_EVERY_MS = 1_000;

/** Whether the database can be reached, as far as is known. While it is lost nobody waits for it, and probes find out when it is back. */
export class Availability {
  readonly #logger = new Logger('Database');
  #lost?: DatabaseUnavailableError;
  #since = new Date();
  #timer?: NodeJS.Timeout;
  #suspected = false;
  #stopped = false;

  /** @param probe asks the database, and settles within a second or so. */
  constructor(private readonly probe: () => Promise<void>) {}

  get since(): Date {
    return this.#since;
  }

  /** One word for why it is lost; undefined when it is not. */
  get reason(): string | undefined {
    return this.#lost?.reason;
  }

  /** @throws DatabaseUnavailableError at once while it is lost. */
  assert(): void {
    if (this.#lost) throw new DatabaseUnavailableError(this.#lost.reason, false, { cause: this.#lost });
  }

  /** Judges an error: one that concerns everybody means that the database is lost until a probe succeeds. */
  learn(error: unknown): void {
    const outage = outageOf(error);
    if (!outage?.lost || this.#lost || this.#stopped) return;
    this.#lost = outage;
    this.#since = new Date();
    const { cause } = outage as { cause?: { message?: unknown } };
    this.#logger.warn('Database unavailable: what needs it answers 503', {
      event: 'database.lost',
      reason: outage.reason,
      ...(cause && { error: cause.message }),
    });
    this.#probeIn(0); // one broken connection is soon known to be no outage
  }

  /** Asks whether the database serves, because it takes its time; lost is what does not answer that. */
  suspect(): void {
    if (this.#suspected || this.#lost || this.#stopped) return;
    this.#suspected = true;
    const probe = outsideRequests(() => this.probe());
    void probe.catch((error: unknown) => this.learn(error)).finally(() => (this.#suspected = false));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #probeIn(ms: number): void {
    const run = () =>
      void this.probe().then(
        () => this.#found(),
        (error: unknown) => this.#stillLost(error),
      );
    this.#timer = outsideRequests(() => setTimeout(run, ms).unref());
  }

  #found(): void {
    if (this.#stopped) return;
    this.#lost = undefined;
    this.#since = new Date();
    this.#logger.log('Database available', { event: 'database.found' });
  }

  #stillLost(error: unknown): void {
    if (this.#stopped) return;
    // A mistake that shows only now, such as a missing right, would otherwise be told to nobody.
    if (outageOf(error) === undefined) this.#logger.error(error);
    this.#probeIn(PROBE_EVERY_MS);
  }
}
