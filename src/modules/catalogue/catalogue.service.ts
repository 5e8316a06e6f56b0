import { Inject, Injectable } from '@nestjs/common';
import { CacheService, WarmUp, type CacheResult, type Loader, type WarmEntry } from '@roost/cache';
import { CONFIG, type Config } from '../../common/config/index.js';
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
    @Inject(CONFIG) private readonly config: Pick<Config, 'CATALOGUE_WARM_UP' | 'NODE_ENV' | 'ROLE'>,
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

  /** The lists that everybody asks for. */
  @WarmUp()
  popular(): WarmEntry[] {
    const { CATALOGUE_WARM_UP: wanted, NODE_ENV, ROLE } = this.config;
    if (!(wanted ?? (NODE_ENV !== 'test' && ROLE !== 'worker'))) return [];
    return CITIES.map((city) => ({ ...listEntry(city), load: this.#listing(city) }));
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
