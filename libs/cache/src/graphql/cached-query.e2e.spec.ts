import { ConsoleLogger, Injectable, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import {
  Args,
  Field,
  GraphQLModule,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyRequest } from 'fastify';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { CacheModule } from '../cache.module.js';
import { CacheService } from '../cache.service.js';
import { CachedQuery } from './cached-query.decorator.js';

interface Context {
  readonly user?: string;
}

@ObjectType()
class Car {
  @Field(() => String)
  id!: string;

  since!: Date;
}

@Injectable()
class OnlyUsers implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getArgByIndex<Context>(2).user !== 'banned';
  }
}

let runs: Record<string, number> = {};
let failing = false;
const ran = (name: string) => void (runs[name] = (runs[name] ?? 0) + 1);

@Resolver(() => Car)
class CarsResolver {
  @Query(() => [Car])
  @UseGuards(OnlyUsers)
  @CachedQuery({ ttl: '1m', scope: 'public', tags: (args) => [`city:${String(args.city)}`] })
  cars(
    @Args('city', { type: () => String }) city: string,
    @Args('limit', { type: () => Int, nullable: true }) limit?: number,
  ): Car[] {
    ran('cars');
    if (failing) throw new Error('broken');
    return [{ id: `${city} ${limit ?? 'all'}`, since: new Date(0) }];
  }

  @Query(() => String, { nullable: true })
  @CachedQuery({ ttl: 30_000, scope: ({ user }: Context) => user })
  mine(): string {
    ran('mine');
    return 'mine';
  }

  @Query(() => String, { nullable: true })
  @CachedQuery({ ttl: '5m', scope: 'public' })
  nothing(): undefined {
    ran('nothing');
  }

  @ResolveField(() => String)
  since(@Parent() { since }: Car): string {
    return since.toISOString(); // of another realm than the tests, as it comes from node:v8: no `instanceof`
  }

  @ResolveField(() => String)
  price(): string {
    ran('price');
    return '10';
  }
}

describe('@CachedQuery', () => {
  let app: NestFastifyApplication;
  let server: RedisServer;
  let cache: CacheService;

  async function open(resolver: new () => object): Promise<NestFastifyApplication> {
    const testing = await Test.createTestingModule({
      imports: [
        RedisModule.forRoot({ url: server.url }),
        CacheModule.forRoot(),
        GraphQLModule.forRoot<MercuriusDriverConfig>({
          driver: MercuriusDriver,
          autoSchemaFile: true,
          subscription: true,
          context: (request: FastifyRequest) => ({ user: request.headers['x-user'] }),
        }),
      ],
      providers: [resolver, CarsResolver],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    const opened = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await opened.init();
    await opened.getHttpAdapter().getInstance().ready();
    return opened;
  }

  beforeAll(async () => {
    server = await RedisServer.start();
    app = await open(CarsResolver);
    cache = app.get(CacheService);
  });
  afterAll(async () => {
    await app.close();
    await server.stop();
  });
  beforeEach(async () => {
    runs = {};
    failing = false;
    await cache.clear();
  });

  async function ask(query: string, variables: object = {}, user?: string) {
    const headers = user === undefined ? {} : { 'x-user': user };
    const answer = await app.inject({ method: 'POST', url: '/graphql', payload: { query, variables }, headers });
    return answer.json<{ data: Record<string, unknown> | null; errors?: { message: string }[] }>();
  }

  const byVariables = 'query Cars($city: String!, $limit: Int) { cars(city: $city, limit: $limit) { id since } }';

  it('55, 174: answers the same query with the variables in another order, and keeps Dates', async () => {
    const first = await ask(byVariables, { city: 'Delft', limit: 2 });
    const second = await ask(byVariables, { limit: 2, city: 'Delft' });
    expect(first.data).toEqual({ cars: [{ id: 'Delft 2', since: '1970-01-01T00:00:00.000Z' }] });
    expect(second).toEqual(first);
    expect((await ask(byVariables, { city: 'Delft', limit: 3 })).data).toEqual({
      cars: [{ id: 'Delft 3', since: '1970-01-01T00:00:00.000Z' }],
    });
    expect(runs).toEqual({ cars: 2 });
    const sha = '[\\da-f]{64}';
    const name = new RegExp(`:e:\\{gql%3A${sha}%3A${sha}%3Acars%3Apublic\\}$`);
    expect(await server.keys('roost:cache:*:e:*')).toEqual([expect.stringMatching(name), expect.stringMatching(name)]);
  });

  it('174: sees through space, comments and fragments that are not used', async () => {
    await ask('{ cars(city: "Delft") { ...Id } } fragment Id on Car { id }');
    await ask('# all of them\nquery   { cars(city: "Delft")  {\n ...Id } }   fragment Id on Car { id }');
    expect(runs).toEqual({ cars: 1 });
    await ask('{ cars(city: "Delft") { ...Id } } fragment Id on Car { id since }');
    await ask('{ cars(city: "Breda") { ...Id } } fragment Id on Car { id }');
    expect(runs).toEqual({ cars: 3 });
  });

  it('keeps apart the fields of one operation', async () => {
    const { data } = await ask('{ a: cars(city: "A") { id } b: cars(city: "B") { id } }');
    expect(data).toEqual({ a: [{ id: 'A all' }], b: [{ id: 'B all' }] });
    expect((await ask('{ a: cars(city: "A") { id } b: cars(city: "B") { id } }')).data).toEqual(data);
    expect(runs).toEqual({ cars: 2 });
  });

  it('174: never shares between scopes, nor with nobody', async () => {
    for (const user of ['alice', 'bob', 'alice']) await ask('{ mine }', {}, user);
    expect(runs).toEqual({ mine: 2 });
    await ask('{ mine }');
    await ask('{ mine }');
    expect(runs).toEqual({ mine: 4 });
  });

  it('asks the guards first', async () => {
    await ask('{ cars(city: "Delft") { id } }', {}, 'alice');
    const refused = await ask('{ cars(city: "Delft") { id } }', {}, 'banned');
    expect([refused.data, refused.errors?.[0]?.message]).toEqual([null, 'Forbidden resource']);
  });

  it('runs the resolvers of fields each time', async () => {
    await ask('{ cars(city: "Delft") { price } }');
    expect((await ask('{ cars(city: "Delft") { price } }')).data).toEqual({ cars: [{ price: '10' }] });
    expect(runs).toEqual({ cars: 1, price: 2 });
  });

  it('finds results by their tags', async () => {
    await ask('{ cars(city: "Delft") { id } }');
    await cache.invalidateTags('city:Delft');
    await ask('{ cars(city: "Delft") { id } }');
    expect(runs).toEqual({ cars: 2 });
  });

  it('keeps nothing as null, and no failure', async () => {
    await ask('{ nothing }');
    expect((await ask('{ nothing }')).data).toEqual({ nothing: null });
    failing = true;
    const failed = await ask('{ cars(city: "Delft") { id } }');
    expect(failed.errors?.[0]?.message).toBe('broken');
    await ask('{ cars(city: "Delft") { id } }');
    expect(runs).toEqual({ nothing: 1, cars: 2 });
  });

  it('174: refuses at the boot what lives too short or too long, and what is no query; all in one error', async () => {
    @Resolver()
    class Wrong {
      @Query(() => String)
      @CachedQuery({ ttl: '10s', scope: 'public' })
      short(): string {
        return '';
      }

      @Query(() => String)
      @CachedQuery({ ttl: '6m', scope: 'private' as 'public', tag: 'a' } as never)
      long(): string {
        return '';
      }

      @Mutation(() => String)
      @CachedQuery({ ttl: '1m', scope: 'public' })
      change(): string {
        return '';
      }

      @Subscription(() => String)
      @CachedQuery({ ttl: '1m', scope: 'public' })
      ticks(): string {
        return '';
      }
    }
    await expect(open(Wrong)).rejects.toMatchObject({
      code: 'options.invalid',
      problems: [
        expect.stringContaining("Wrong.short: Expected `ttl` to be from '30s' to '5m'"),
        expect.stringContaining('Wrong.long: Unknown option `tag`'),
        expect.stringContaining("Wrong.long: Expected `ttl` to be from '30s' to '5m'"),
        expect.stringContaining('Wrong.long: Expected `scope`'),
        expect.stringContaining('Wrong.change: Only a method with @Query can be cached, this one is a Mutation'),
        expect.stringContaining('Wrong.ticks: Only a method with @Query can be cached, this one is a Subscription'),
      ],
    });
  });
});
