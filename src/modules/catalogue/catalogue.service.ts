import { Injectable } from '@nestjs/common';
import { CacheService, type CacheResult, type Loader, type WarmReport } from '@roost/cache';
import { carEntry, listEntry, NOTHING_TTL, tagsOf } from './catalogue.cache.js';
import { CarNotListedError } from './catalogue.errors.js';
import { CatalogueRepository } from './catalogue.repository.js';
import { CITIES, type Car } from './fleet.js';

const CAR_ID = /^[a-z\d]+(?:-[a-z\d]+)*$/;
const MAX_ID_LENGTH = 64;

/** Which cars there are, and what they cost. Nobody is told an old price after its change was answered. */
@Injectable()
export class CatalogueService {
  constructor(
    private readonly cache: CacheService,
    private readonly repository: CatalogueRepository,
  ) {}

  /** Those of one city, or of all, the cheapest first. */
  cars(city?: string): Promise<CacheResult<Car[]>> {
    const { key, options } = listEntry(city);
    return this.cache.fetch(key, this.#listing(city), options);
  }

  /**
   * Null when there is none.
   * @throws CarNotListedError for what cannot be an id: neither the database is asked for it nor the cache
   */
  async find(id: string): Promise<CacheResult<Car | null>> {
    if (!canBeId(id)) throw new CarNotListedError();
    const { key, options } = carEntry(id);
    return this.cache.fetch(key, async ({ signal }) => (await this.repository.find(id, signal)) ?? null, options);
  }

  /** @throws CarNotListedError */
  async setPrice(id: string, pricePerDay: number): Promise<Car> {
    const car = canBeId(id) ? await this.repository.setPrice(id, pricePerDay) : undefined;
    if (!car) throw new CarNotListedError();
    // After the database and not before: a load in between would keep what it read.
    await this.cache.invalidateTags(...tagsOf(car));
    return car;
  }

  /** Loads the lists that everybody asks for. */
  warm(signal: AbortSignal): Promise<WarmReport> {
    const entries = CITIES.map((city) => ({ ...listEntry(city), load: this.#listing(city) }));
    return this.cache.warm(entries, { signal });
  }

  #listing(city: string | undefined): Loader<Car[]> {
    return async (load) => {
      const found = await this.repository.list(city, load.signal);
      if (found.length === 0) load.setTtl(NOTHING_TTL);
      return found;
    };
  }
}

function canBeId(id: string): boolean {
  return id.length <= MAX_ID_LENGTH && CAR_ID.test(id);
}
