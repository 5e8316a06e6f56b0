import { ConsoleLogger } from '@nestjs/common';
import {
  Args,
  Field,
  GraphQLModule,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import type { FastifyRequest } from 'fastify';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { decisionOf, type Decision } from '../decision.js';
import { RateLimit } from '../policies/rate-limit.decorator.js';
import { ThrottleModule } from '../throttle.module.js';
import { RateLimitGuard } from './rate-limit.guard.js';

const WINDOW = '1h';
const GENEROUS = 100;

@ObjectType()
class Car {
  @Field(() => String)
  id!: string;
}

@Resolver(() => Car)
class CarsResolver {
  @Query(() => [Car])
  @RateLimit({ limit: 2, window: WINDOW, name: 'cars' })
  cars(): Car[] {
    return ['1', '2', '3', '4', '5'].map((id) => ({ id }));
  }

  @Query(() => [Car])
  allCars(): Car[] {
    return this.cars();
  }

  @ResolveField(() => String)
  @RateLimit({ limit: GENEROUS, window: WINDOW, name: 'price' })
  price(): string {
    return '10';
  }

  @ResolveField(() => String)
  @RateLimit({ limit: GENEROUS, window: WINDOW, name: 'mileage', per: 'call' })
  mileage(): string {
    return '10';
  }

  @Query(() => String)
  @RateLimit({ limit: GENEROUS, window: WINDOW, name: 'mine', key: 'user' })
  mine(): string {
    return 'mine';
  }

  @Mutation(() => String)
  @RateLimit({ limit: 1, window: WINDOW, name: 'rename' })
  rename(@Args('name', { type: () => String }) name: string): string {
    return name;
  }

  @Subscription(() => String)
  @RateLimit({ limit: 2, window: WINDOW, name: 'ticks' })
  ticks(): AsyncIterableIterator<{ ticks: string }> {
    return (async function* () {
      await Promise.resolve();
      yield { ticks: 'tick' };
    })();
  }
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server?.stop());

describe.each(['memory', 'redis'] as const)('@RateLimit on GraphQL resolvers, counted in %s', (backend) => {
  let app: NestFastifyApplication;
  const decisions: (Decision | undefined)[] = [];

  afterEach(() => app.close());

  async function open(providers: object[] = []): Promise<void> {
    decisions.length = 0;
    await server.command('FLUSHALL');
    const redis = backend === 'redis' ? { url: server.url, commandTimeoutMs: 2_000 } : {};
    const testing = await Test.createTestingModule({
      imports: [
        RedisModule.forRoot(redis),
        ThrottleModule.forRoot(),
        GraphQLModule.forRoot<MercuriusDriverConfig>({
          driver: MercuriusDriver,
          autoSchemaFile: true,
          subscription: true,
          fieldResolverEnhancers: ['guards'],
          context: (req: FastifyRequest) => ({ req, user: { id: req.headers['x-user'] } }),
        }),
      ],
      providers: [CarsResolver, ...(providers as never[])],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    app
      .getHttpAdapter()
      .getInstance()
      .addHook('onResponse', (request, _reply, done) => {
        decisions.push(decisionOf(request));
        done();
      });
    await app.listen(0, '127.0.0.1');
  }

  async function ask(query: string, headers: Record<string, string> = {}) {
    const answer = await app.inject({ method: 'POST', url: '/graphql', payload: { query }, headers });
    const { data, errors } = answer.json<{ data: unknown; errors?: { message: string; extensions: object }[] }>();
    return { status: answer.statusCode, headers: answer.headers, data, errors };
  }

  const remaining = (headers: Record<string, unknown>) => String(headers.ratelimit);

  it('counts queries, tells the limit in the headers, and refuses by an error with a code', async () => {
    await open();
    const first = await ask('{ cars { id } }');
    expect(remaining(first.headers)).toBe('"cars";r=1;t=1800');
    await ask('{ cars { id } }');
    const refused = await ask('{ cars { id } }');
    expect(refused.data).toBeNull();
    expect(refused.errors).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('"cars" allows 2 per 3600 s'),
        extensions: { code: 'throttle.exceeded', retryAfterMs: expect.any(Number), violated: ['cars'] },
      }),
    ]);
    expect(refused.headers['retry-after']).toBe('1800');
    expect(refused.headers['content-type']).toMatch(/^application\/json/);
    expect(decisions.map((decision) => decision?.state)).toEqual(['allow', 'allow', 'throttle']);
  });

  it('counts mutations', async () => {
    await open();
    expect((await ask('mutation { rename(name: "a") }')).data).toEqual({ rename: 'a' });
    const refused = await ask('mutation { rename(name: "b") }');
    expect([refused.data, refused.errors?.length]).toEqual([null, 1]);
  });

  it('44: charges a request once for five resolvers, and each call with per: call', async () => {
    await open();
    const once = await ask('{ allCars { id price } }');
    expect([once.errors, remaining(once.headers)]).toEqual([undefined, expect.stringMatching(/^"price";r=99;/)]);
    const each = await ask('{ allCars { id mileage } }');
    expect([each.errors, remaining(each.headers)]).toEqual([undefined, expect.stringMatching(/^"mileage";r=95;/)]);
  });

  it('44: tells of all limits that a request met', async () => {
    await open();
    const { headers, errors } = await ask('{ cars { id price mileage } mine }', { 'x-user': 'alice' });
    expect(errors).toBeUndefined();
    const told = remaining(headers)
      .split(', ')
      .map((item) => item.slice(0, item.indexOf(';t')));
    expect(told.sort()).toEqual(['"cars";r=1', '"mileage";r=95', '"mine";r=99', '"price";r=99']);
  });

  it('44: a refused limit refuses all of its resolvers, and is asked once', async () => {
    await open();
    const { data, errors } = await ask('mutation { a: rename(name: "a") b: rename(name: "b") }');
    expect([data, errors]).toEqual([{ a: 'a', b: 'b' }, undefined]); // one request, one charge
    const refused = await ask('mutation { a: rename(name: "a") b: rename(name: "b") }');
    expect(refused.errors).toHaveLength(1); // the root is null after the first
    expect(decisions.at(-1)?.violated).toEqual(['rename']);
  });

  it('43, 44: a global guard does not count twice, also not per call', async () => {
    await open([{ provide: APP_GUARD, useClass: RateLimitGuard }]);
    expect(remaining((await ask('{ cars { id } }')).headers)).toMatch(/^"cars";r=1;/);
    expect(remaining((await ask('{ allCars { mileage } }')).headers)).toMatch(/^"mileage";r=95;/);
  });

  it('counts the user of the GraphQL context', async () => {
    await open();
    expect(remaining((await ask('{ mine }', { 'x-user': 'alice' })).headers)).toMatch(/r=99;/);
    expect(remaining((await ask('{ mine }', { 'x-user': 'bob' })).headers)).toMatch(/r=99;/);
    expect(remaining((await ask('{ mine }', { 'x-user': 'bob' })).headers)).toMatch(/r=98;/);
  });

  it('79: counts each subscription of a socket, which has no response, and goes on serving it', async () => {
    await open();
    const { port } = app.getHttpServer().address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws');
    const received: { type: string; id?: string; payload?: unknown }[] = [];
    socket.on('message', (raw: Buffer) => received.push(JSON.parse(raw.toString()) as never));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'connection_init' }));
    await eventually(() => expect(received.map(({ type }) => type)).toEqual(['connection_ack']), {
      within: 2_000,
      every: 5,
    });
    const subscribe = (id: string) =>
      socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query: 'subscription { ticks }' } }));
    const about = (id: string) => received.filter((message) => message.id === id).map(({ type }) => type);
    for (const id of ['1', '2', '3']) {
      subscribe(id);
      await eventually(() => expect(about(id)).toEqual(id === '3' ? ['error'] : ['next', 'complete']), {
        within: 2_000,
        every: 5,
      });
    }
    expect(socket.readyState).toBe(socket.OPEN);
    socket.close();
  });
});
