import type { CacheModuleOptions, CacheOptions } from '@roost/cache';
import type { Config } from '../../common/config/index.js';
import type { Car } from './fleet.js';

/** What everything of the catalogue is tagged with, for operators. */
const ALL = 'cars';
const EVERY_CITY = 'cars:every-city';
const carTag = (id: string) => `car:${id}`;
const cityTag = (city: string) => `city:${city}`;

/** How long anything of the catalogue is fresh, and may be served after that while the database cannot be asked. */
const KEPT = { ttl: '5m', grace: '1h' } as const satisfies CacheOptions;

/** How long the result of a GraphQL query is fresh; it is made of what is kept for longer. */
export const QUERY_TTL = '1m';

/** How long it is believed that there is nothing: anybody can ask for what is not there. */
export const NOTHING_TTL = '30s';

/** How the service configures `@roost/cache`. */
export function cacheOptions({ CACHE_BACKEND }: Config): CacheModuleOptions {
  return { backend: CACHE_BACKEND };
}

/** A cached value: its key, and how it is kept. */
interface Entry {
  readonly key: string;
  readonly options: CacheOptions;
}

/** The cars of a city, or of all. */
export function listEntry(city: string | undefined): Entry {
  // The key of all has no colon behind it: it is the key of no city.
  const key = city === undefined ? 'catalogue:cars' : `catalogue:cars:${city}`;
  return { key, options: { ...KEPT, tags: listTags(city) } };
}

/** The tags of what shows the cars of a city, or of all. */
export function listTags(city: string | undefined): string[] {
  return [ALL, city === undefined ? EVERY_CITY : cityTag(city)];
}

/** One car. */
export function carEntry(id: string): Entry {
  return { key: `catalogue:car:${id}`, options: { ...KEPT, negativeTtl: NOTHING_TTL, tags: [ALL, carTag(id)] } };
}

/** The tags of everything that shows this car. */
export function tagsOf({ id, city }: Car): string[] {
  return [carTag(id), cityTag(city), EVERY_CITY];
}
