import { Inject, Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';
import { asc, eq } from 'drizzle-orm';
import { setTimeout as delay } from 'node:timers/promises';
import { CONFIG, type Config } from '../../common/config/index.js';
import { Database } from '../../common/database/index.js';
import { cars } from './catalogue.table.js';
import type { Car } from './fleet.js';

/** Where cars are kept. Reading takes its time on purpose, as it would where prices are computed: that is what the cache is for. */
@Injectable()
export class CatalogueRepository {
  readonly #delayMs: number;
  readonly #reads: ReturnType<Metrics['counter']>;

  constructor(
    private readonly database: Database,
    metrics: Metrics,
    @Inject(CONFIG) config: Pick<Config, 'CATALOGUE_ORIGIN_DELAY_MS'>,
  ) {
    this.#delayMs = config.CATALOGUE_ORIGIN_DELAY_MS;
    this.#reads = metrics.counter('catalogue_origin_reads_total', 'Statements that read cars from the database');
  }

  /** Those of one city, or of all, the cheapest first. */
  async list(city: string | undefined, signal: AbortSignal): Promise<Car[]> {
    await this.#beSlow(signal);
    const where = city === undefined ? undefined : eq(cars.city, city);
    return this.database.db.select().from(cars).where(where).orderBy(asc(cars.pricePerDay), asc(cars.id));
  }

  async find(id: string, signal: AbortSignal): Promise<Car | undefined> {
    await this.#beSlow(signal);
    const [car] = await this.database.db.select().from(cars).where(eq(cars.id, id));
    return car;
  }

  /** Resolves to the car as it is now, or undefined when there is none. */
  async setPrice(id: string, pricePerDay: number): Promise<Car | undefined> {
    const [car] = await this.database.db.update(cars).set({ pricePerDay }).where(eq(cars.id, id)).returning();
    return car;
  }

  async #beSlow(signal: AbortSignal): Promise<void> {
    if (this.#delayMs > 0) await delay(this.#delayMs, undefined, { signal });
    this.#reads.inc({});
  }
}
