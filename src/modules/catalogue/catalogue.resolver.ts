import { Args, Field, ID, Int, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { CachedQuery } from '@roost/cache/graphql';
import { parseRequest } from '../../common/http/index.js';
import { listTags, QUERY_TTL } from './catalogue.cache.js';
import { carsRequest } from './catalogue.schemas.js';
import { CatalogueService } from './catalogue.service.js';
import type { Car } from './fleet.js';

/** A car, to GraphQL. */
@ObjectType('Car', { description: 'A car that is for hire' })
class CarType implements Car {
  @Field(() => ID)
  readonly id: string;

  @Field(() => String)
  readonly city: string;

  @Field(() => Int, { description: 'In whole euros' })
  readonly pricePerDay: number;
}

/** The same cars as by REST. The result of each operation is kept, and made of what is kept for REST. */
@Resolver(() => CarType)
export class CatalogueResolver {
  constructor(private readonly catalogue: CatalogueService) {}

  @Query(() => [CarType], { description: 'The cars of a city, or of all, the cheapest first' })
  @CachedQuery({ ttl: QUERY_TTL, scope: 'public', codec: 'json', tags: (args) => listTags(cityOf(args)) })
  async cars(@Args('city', { type: () => String, nullable: true }) city: string | null | undefined): Promise<Car[]> {
    return (await this.catalogue.cars(cityOf({ city }))).value;
  }
}

/** @throws InvalidRequestError */
function cityOf({ city }: { readonly city?: unknown }): string | undefined {
  return parseRequest(carsRequest, { city: city ?? undefined }).city;
}
