import {
  ConsoleLogger,
  Controller,
  Get,
  Injectable,
  Sse,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/internal';
import { ClientProxyFactory, MessagePattern, Payload, Transport, type ClientProxy } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { freePort, RedisServer } from '@roost/testing';
import { ServerResponse, type IncomingMessage } from 'node:http';
import { firstValueFrom, of } from 'rxjs';
import { RateLimit } from '../policies/rate-limit.decorator.js';
import { ThrottleModule } from '../throttle.module.js';
import { RateLimitGuard } from './rate-limit.guard.js';

const WINDOW = '1h';
const tenantOf = (context: ExecutionContext) => context.switchToRpc().getData<{ tenant?: string }>().tenant;

@Controller()
class SumsController {
  @MessagePattern('sum')
  @RateLimit('messages')
  sum(@Payload() numbers: number[]) {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('product')
  @RateLimit('messages')
  product(@Payload() numbers: number[]) {
    return numbers.reduce((a, b) => a * b, 1);
  }

  @MessagePattern('tenant')
  @RateLimit({ limit: 1, window: WINDOW, name: 'tenants', key: tenantOf })
  tenant() {
    return 'ok';
  }

  @Sse('events')
  @RateLimit({ limit: 1, window: WINDOW, name: 'events' })
  events() {
    return of({ data: 'one' });
  }

  @Get('connections')
  @RateLimit({ limit: 1, window: WINDOW, name: 'connections', key: 'connection' })
  connections() {
    return 'ok';
  }
}

/** Called by a scheduler: no guard runs. */
@Injectable()
class Nightly {
  @RateLimit({ limit: 1, window: WINDOW, name: 'nightly' })
  run() {
    return 'done';
  }
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server?.stop());

const backends = ['memory', 'redis'] as const;
const adapters = { express: () => new ExpressAdapter(), fastify: () => new FastifyAdapter() };

async function open(
  backend: (typeof backends)[number],
  adapter: keyof typeof adapters = 'fastify',
): Promise<INestApplication> {
  await server.command('FLUSHALL');
  const testing = await Test.createTestingModule({
    imports: [
      RedisModule.forRoot(backend === 'redis' ? { url: server.url, commandTimeoutMs: 2_000 } : {}),
      ThrottleModule.forRoot({ policies: { messages: { limit: 2, window: WINDOW } } }),
    ],
    controllers: [SumsController],
    providers: [Nightly],
  })
    .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
    .compile();
  return testing.createNestApplication(adapters[adapter]());
}

describe.each(backends)('@RateLimit on messages of a microservice, counted in %s', (backend) => {
  let app: INestApplication;
  let client: ClientProxy;

  beforeEach(async () => {
    app = await open(backend);
    const port = await freePort();
    app.connectMicroservice({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
    await app.startAllMicroservices();
    await app.init();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  });

  afterEach(async () => {
    await client.close();
    await app.close();
  });

  const call = (pattern: string, data: unknown) =>
    firstValueFrom(client.send<unknown>(pattern, data)).catch((error: unknown) => error);

  it('79: counts each handler for itself, and refuses by an RpcException', async () => {
    expect([await call('sum', [1, 2]), await call('sum', [3, 4])]).toEqual([3, 7]);
    expect(await call('sum', [5, 6])).toEqual({
      status: 'error',
      code: 'throttle.exceeded',
      message: expect.stringContaining('"messages" allows 2 per 3600 s'),
      retryAfterMs: expect.any(Number),
      violated: ['messages'],
    });
    expect(await call('product', [2, 3])).toBe(6);
  });

  it('counts whom a function names', async () => {
    expect([await call('tenant', { tenant: 'a' }), await call('tenant', { tenant: 'b' })]).toEqual(['ok', 'ok']);
    expect(await call('tenant', { tenant: 'a' })).toMatchObject({ code: 'throttle.exceeded' });
  });
});

describe.each(backends)('@RateLimit where there is no usual request, counted in %s', (backend) => {
  let app: INestApplication;
  afterEach(() => app.close());

  it('79: leaves calls without a context alone', async () => {
    app = await open(backend);
    await app.init();
    expect([app.get(Nightly).run(), app.get(Nightly).run()]).toEqual(['done', 'done']);
  });

  it('79: counts contexts that somebody else makes, whatever their arguments are', async () => {
    app = await open(backend);
    await app.init();
    const nightly = app.get(Nightly);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- bound by Nest
    const made = (type: string) =>
      app
        .get(ExternalContextCreator)
        .create(nightly, nightly.run, 'run', undefined, undefined, undefined, undefined, undefined, type as never);
    const job = { id: 7 };
    expect(await made('http')(job)).toBe('done');
    await expect(made('http')(job)).rejects.toMatchObject({ code: 'throttle.exceeded' }); // not the same request
    await expect(made('telegram')()).rejects.toMatchObject({ code: 'throttle.exceeded' });
    await expect(made('graphql')()).rejects.toMatchObject({ extensions: { code: 'throttle.exceeded' } });
  });

  it.each(Object.keys(adapters) as (keyof typeof adapters)[])('counts event streams on %s', async (adapter) => {
    app = await open(backend, adapter);
    await app.listen(0, '127.0.0.1');
    const get = async () => {
      const answer = await fetch(`${await app.getUrl()}/events`);
      return [answer.status, answer.headers.get('ratelimit'), (await answer.text()).includes('one')];
    };
    expect(await get()).toEqual([200, '"events";r=0;t=3600', true]);
    expect(await get()).toEqual([429, '"events";r=0;t=3600', false]);
  });

  it('64, 79: counts a request without an address, and one that is answered already', async () => {
    app = await open(backend);
    await app.init();
    const guard = app.get(RateLimitGuard, { strict: false });
    const pass = (request: object, response: object | undefined) => {
      const context = new ExecutionContextHost([request, response], SumsController, SumsController.prototype.events);
      return Promise.resolve(guard.canActivate(context)).catch((error: { code?: string }) => error.code);
    };
    const request = () => ({ method: 'GET', headers: {}, socket: null });
    const answered = new ServerResponse({ method: 'GET' } as IncomingMessage);
    answered.writeHead(200);
    expect(await pass(request(), answered)).toBe(true);
    expect(await pass(request(), undefined)).toBe('throttle.exceeded'); // one bucket of its own, not nobody's
    const ended = new ServerResponse({ method: 'GET' } as IncomingMessage);
    ended.end();
    expect(await pass({ ...request(), ip: undefined }, ended)).toBe('throttle.exceeded');
    expect(
      await pass(
        { ...request(), ip: '10.0.0.1' },
        { raw: answered, header: () => Promise.reject(new Error('sent already')) },
      ),
    ).toBe(true);
  });

  it('counts the address where there is no connection to count', async () => {
    app = await open(backend);
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/connections`;
    expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([200, 429]);
  });
});
