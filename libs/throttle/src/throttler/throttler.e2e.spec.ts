import {
  ConsoleLogger,
  Controller,
  Get,
  Injectable,
  Module,
  UseGuards,
  type ExecutionContext,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  SkipThrottle,
  Throttle,
  ThrottlerGuard,
  ThrottlerModule,
  ThrottlerStorageService,
  type ThrottlerLimitDetail,
  type ThrottlerModuleOptions,
  type ThrottlerRequest,
} from '@nestjs/throttler';
import { HealthRegistry, RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import {
  RoostThrottlerGuard,
  RoostThrottlerModule,
  RoostThrottlerStorage,
  type RoostThrottlerOptions,
} from '../throttler.js';

const MINUTE = 60_000;

@Controller()
class PlainController {
  @Get('plain')
  plain() {
    return 'ok';
  }

  @Get('other')
  other() {
    return 'ok';
  }

  @Get('strict')
  @Throttle({ default: { limit: 1, ttl: MINUTE, blockDuration: 2 * MINUTE } })
  strict() {
    return 'ok';
  }

  @Get('unblocked')
  @Throttle({ default: { limit: 2, blockDuration: () => Promise.resolve(0) } })
  unblocked() {
    return 'ok';
  }

  @Get('skipped')
  @SkipThrottle()
  skipped() {
    return 'ok';
  }
}

@Controller('class')
@SkipThrottle({ long: true })
@Throttle({ short: { limit: 2 }, default: { limit: () => 2 } })
class ClassController {
  @Get('inherits')
  inherits() {
    return 'ok';
  }

  @Get('own')
  @SkipThrottle({ long: false })
  @Throttle({ long: { limit: 1 } })
  own() {
    return 'ok';
  }
}

type Storage = 'reference' | 'memory' | 'redis';
type Get = (path: string, headers?: Record<string, string>) => Promise<Response>;

interface Setting {
  readonly storage?: Storage;
  readonly guard?: Type;
  readonly throttlers?: ThrottlerModuleOptions;
  readonly roost?: RoostThrottlerOptions;
  readonly redis?: object;
  readonly controllers?: Type[];
  readonly imports?: Type[];
  readonly providers?: Provider[];
  readonly adapter?: object;
}

const one = [{ ttl: MINUTE, limit: 3 }];
const two = [
  { name: 'long', ttl: MINUTE, limit: 3 },
  { name: 'short', ttl: 10_000, limit: 5 },
];

const adapters = {
  express: (options?: object) => Object.assign(new ExpressAdapter(), { options }),
  fastify: (options?: object) => new FastifyAdapter(options),
};

let server: RedisServer;
const apps: INestApplication[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.command('FLUSHALL'));
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});
afterAll(() => server?.stop());

/** What a client sees of the limiter. Seconds are rounded up to five, for a machine that is slow. */
async function seen(response: Response) {
  const limited = [...response.headers].filter(([name]) => /ratelimit|retry-after/.test(name));
  const headers = limited.map(([name, value]) => [
    name,
    /reset|retry/.test(name) ? Math.ceil(Number(value) / 5) * 5 : value,
  ]);
  return { status: response.status, headers: Object.fromEntries(headers) as object, body: await response.text() };
}

async function walk(get: Get, paths: readonly string[]) {
  const found = [];
  for (const path of paths) found.push(await seen(await get(path)));
  return found;
}

const times = (count: number, path: string) => Array<string>(count).fill(path);
const statuses = async (get: Get, paths: readonly string[]) => (await walk(get, paths)).map(({ status }) => status);

describe.each(Object.entries(adapters))('@roost/throttle/throttler on %s', (adapterName, adapter) => {
  async function open(setting: Setting = {}): Promise<Get> {
    const { storage = 'redis', guard = RoostThrottlerGuard, throttlers = one, providers } = setting;
    const redis = storage === 'redis' ? { url: server.url, commandTimeoutMs: 2_000 } : {};
    const options = (own: object) => (Array.isArray(throttlers) ? { throttlers, ...own } : { ...throttlers, ...own });
    const testing = await Test.createTestingModule({
      imports: [
        RedisModule.forRoot({ ...redis, ...setting.redis }),
        RoostThrottlerModule.forRoot(setting.roost),
        storage === 'reference'
          ? ThrottlerModule.forRoot(options({ storage: new ThrottlerStorageService() }))
          : ThrottlerModule.forRootAsync({
              inject: [RoostThrottlerStorage],
              useFactory: (roost: RoostThrottlerStorage) => options({ storage: roost }),
            }),
        ...(setting.imports ?? []),
      ],
      controllers: setting.controllers ?? [PlainController, ClassController],
      providers: providers ?? [{ provide: APP_GUARD, useClass: guard }],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    const app = testing.createNestApplication(adapter(setting.adapter));
    apps.push(app);
    if (adapterName === 'express' && setting.adapter) app.getHttpAdapter().getInstance().set('trust proxy', 'loopback');
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return (path, headers = {}) => fetch(`${url}/${path}`, { headers });
  }

  describe.each(['memory', 'redis'] as const)('storage in %s', (storage) => {
    const schedules: [string, ThrottlerModuleOptions, string[]][] = [
      [
        'one throttler',
        one,
        [...times(5, 'plain'), 'other', ...times(3, 'strict'), ...times(4, 'unblocked'), 'skipped'],
      ],
      [
        'named throttlers',
        two,
        [...times(5, 'plain'), 'other', ...times(4, 'class/inherits'), ...times(3, 'class/own'), 'skipped'],
      ],
      ['without headers', { throttlers: one, setHeaders: false, errorMessage: 'slower' }, times(5, 'plain')],
    ];

    it.each(schedules)(
      'answers with the guard of @nestjs/throttler as its memory store does: %s',
      async (_name, throttlers, paths) => {
        const expected = await walk(await open({ storage: 'reference', guard: ThrottlerGuard, throttlers }), paths);
        expect(expected.some(({ status }) => status === 429)).toBe(true);
        expect(await walk(await open({ storage, guard: ThrottlerGuard, throttlers }), paths)).toEqual(expected);
      },
    );

    it('77: has the headers of @nestjs/throttler on what passes, and on refusals by option', async () => {
      const paths = [
        'plain',
        'plain',
        'plain',
        'plain',
        'other',
        'class/inherits',
        'class/inherits',
        'class/inherits',
        'class/own',
        'class/own',
      ];
      for (const throttlers of [one, two]) {
        const expected = await walk(await open({ storage: 'reference', guard: ThrottlerGuard, throttlers }), paths);
        const plain = await walk(await open({ storage, throttlers }), paths);
        await server.command('FLUSHALL');
        const both = await walk(await open({ storage, throttlers, roost: { compatRetryAfter: 'both' } }), paths);
        await server.command('FLUSHALL');
        const suffixed = await walk(
          await open({ storage, throttlers, roost: { compatRetryAfter: 'suffixed' } }),
          paths,
        );
        const passed = (each: { status: number }) => each.status === 200;
        for (const found of [plain, both, suffixed]) expect(found.filter(passed)).toEqual(expected.filter(passed));
        expect(suffixed.map(({ status }) => status)).toEqual(expected.map(({ status }) => status));
        const waits = (found: typeof plain) =>
          found
            .filter(({ status }) => status === 429)
            .map(({ headers }) =>
              Object.keys(headers)
                .filter((name) => name.startsWith('retry'))
                .join(),
            );
        expect(waits(suffixed)).toEqual(waits(expected));
        expect(waits(plain)).toEqual(waits(expected).map(() => 'retry-after'));
        expect(waits(both)).toEqual(
          waits(expected).map((name) => (name === 'retry-after' ? name : `retry-after,${name}`)),
        );
      }
    });
  });

  it('34, 35: throttlers of a request are decided as one, and tell the longest wait', async () => {
    const throttlers = [
      { name: 'short', ttl: 10_000, limit: 5 },
      { name: 'long', ttl: MINUTE, limit: 1 },
    ];
    const get = await open({ throttlers });
    const found = await walk(get, times(3, 'plain'));
    expect(found.map(({ status }) => status)).toEqual([200, 429, 429]);
    expect(found.map(({ headers }) => (headers as Record<string, string>)['x-ratelimit-remaining-short'])).toEqual([
      '4',
      '4',
      '4',
    ]);
    expect(found[1]!.headers).toMatchObject({ 'retry-after': 60 });
    const zero = await open({ throttlers: throttlers.map((each) => ({ ...each, limit: 0 })) });
    expect((await walk(zero, ['plain']))[0]).toMatchObject({ status: 429, headers: { 'retry-after': 60 } });
  });

  it('asks Redis once for all throttlers of a request, and not at all about who is blocked', async () => {
    const get = await open({ throttlers: two });
    await get('plain'); // the script is known from now on
    const calls = async () => (await server.commandStats()).evalsha!.calls;
    const before = await calls();
    await walk(get, times(3, 'plain'));
    expect((await calls()) - before).toBe(3);
    expect(await statuses(get, times(10, 'plain'))).toEqual(times(10, '429').map(Number));
    expect((await calls()) - before).toBe(3);
  });

  it('43: counts once though the guard is global and on the route, and twice where guards count different things', async () => {
    @Controller()
    @UseGuards(RoostThrottlerGuard)
    class Guarded {
      @Get('twice')
      @UseGuards(RoostThrottlerGuard)
      twice() {}
    }
    @Injectable()
    class ByUser extends RoostThrottlerGuard {
      protected override getTracker(req: Record<string, unknown>): Promise<string> {
        return Promise.resolve((req['headers'] as Record<string, string>)['x-user'] ?? 'nobody');
      }
    }
    @Controller()
    class Mixed {
      @Get('mixed')
      @UseGuards(ByUser)
      mixed() {}
    }
    const get = await open({ throttlers: [{ ttl: MINUTE, limit: 4 }], controllers: [Guarded, Mixed] });
    const found = await walk(get, times(5, 'twice'));
    const remaining = found.map(({ headers }) => (headers as Record<string, string>)['x-ratelimit-remaining']);
    expect(remaining).toEqual(['3', '2', '1', '0', undefined]);
    const users = ['a', 'a', 'b', 'b', 'c'].map((user) => () => get('mixed', { 'x-user': user }));
    const mixed: number[] = [];
    for (const ask of users) mixed.push((await ask()).status);
    expect(mixed).toEqual([200, 200, 200, 200, 429]); // the address, whoever the user is
  });

  it('59: counts classes of one name and names with dashes apart', async () => {
    const make = (path: string, name: string, handler: string): Type => {
      class Same {}
      Object.defineProperty(Same, 'name', { value: name });
      Object.defineProperty(Same.prototype, handler, { value: { [handler]: () => 'ok' }[handler], writable: true });
      const descriptor = Object.getOwnPropertyDescriptor(Same.prototype, handler)!;
      Get(path)(Same.prototype, handler, descriptor);
      Controller()(Same);
      return Same;
    };
    const moduleOf = (controller: Type): Type => {
      @Module({ controllers: [controller] })
      class Feature {}
      return Feature;
    };
    const classes = [make('a', 'Same', 'get'), make('b', 'Same', 'get'), make('c', 'A-b', 'c'), make('d', 'A', 'b-c')];
    const throttlers = [{ ttl: MINUTE, limit: 1 }];
    const get = await open({ throttlers, controllers: [], imports: classes.map(moduleOf) });
    expect(await statuses(get, ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd'])).toEqual([
      200, 200, 200, 200, 429, 429, 429, 429,
    ]);
    const reference = await open({
      storage: 'reference',
      guard: ThrottlerGuard,
      throttlers,
      controllers: [],
      imports: classes.map(moduleOf),
    });
    expect(await statuses(reference, ['a', 'b', 'c', 'd'])).toEqual([200, 429, 200, 429]); // the trap
    const own = { throttlers, generateKey: (_context: ExecutionContext, tracker: string) => tracker };
    expect(await statuses(await open({ throttlers: own }), ['plain', 'other'])).toEqual([200, 429]); // as it is told
  });

  it('69: finds the client behind a proxy, where the guard of the throttler README finds the proxy on Fastify', async () => {
    @Injectable()
    class BehindProxy extends ThrottlerGuard {
      protected override getTracker(req: Record<string, unknown>): Promise<string> {
        const ips = req['ips'] as string[];
        return Promise.resolve(ips.length > 0 ? ips[0]! : (req['ip'] as string));
      }
    }
    const throttlers = [{ ttl: MINUTE, limit: 1 }];
    const clients = async (get: Get) => {
      const found: number[] = [];
      for (const ip of ['203.0.113.7', '203.0.113.8', '203.0.113.7']) {
        found.push((await get('plain', { 'x-forwarded-for': ip })).status);
      }
      return found;
    };
    const trusting = { trustProxy: 'loopback' };
    const documented = await clients(
      await open({ guard: BehindProxy, throttlers, adapter: trusting, storage: 'reference' }),
    );
    expect(documented).toEqual(adapterName === 'fastify' ? [200, 429, 429] : [200, 200, 429]);
    expect(await clients(await open({ throttlers, adapter: trusting }))).toEqual([200, 200, 429]);
    await server.command('FLUSHALL');
    expect(await clients(await open({ throttlers }))).toEqual([200, 429, 429]); // nobody is trusted unless told
    await server.command('FLUSHALL');
    const told = await open({ throttlers, roost: { proxy: { hops: 1 } } }); // a number, which Fastify does not heed
    expect(await clients(told)).toEqual([200, 200, 429]);
  });

  it('83: waits for a skipIf that resolves later, and does not pass by one that throws', async () => {
    const skipping = (skipIf: () => unknown) => ({
      throttlers: [{ ttl: MINUTE, limit: 1 }],
      skipIf: skipIf as () => boolean,
    });
    expect(
      await statuses(await open({ throttlers: skipping(() => Promise.resolve(false)) }), times(2, 'plain')),
    ).toEqual([200, 429]);
    await server.command('FLUSHALL');
    expect(
      await statuses(await open({ throttlers: skipping(() => Promise.resolve(true)) }), times(2, 'plain')),
    ).toEqual([200, 200]);
    for (const thrower of [
      () => Promise.reject(new Error('no')),
      () => {
        throw new Error('no');
      },
    ]) {
      expect(await statuses(await open({ throttlers: skipping(thrower) }), times(2, 'plain'))).toEqual([500, 500]);
    }
  });

  it('84: tries patterns of user agents from the start, and not on a header that is missing', async () => {
    const ignoring = (...ignoreUserAgents: RegExp[]) => ({ throttlers: [{ ttl: MINUTE, limit: 1 }], ignoreUserAgents });
    const get = await open({ throttlers: ignoring(/bot/g, /undefined/) });
    const found: number[] = [];
    for (let i = 0; i < 4; i++) found.push((await get('plain', { 'user-agent': 'bot' })).status);
    expect(found).toEqual([200, 200, 200, 200]);
    const bare = async () => {
      const { request } = await import('node:http');
      const url = new URL((await get('skipped')).url);
      return new Promise<number>((resolve, reject) => {
        request({ host: url.hostname, port: url.port, path: '/plain', agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
          .on('error', reject)
          .end();
      });
    };
    expect([await bare(), await bare()]).toEqual([200, 429]);
  });

  it('honours what a subclass overrides', async () => {
    const asked: string[] = [];
    const details: ThrottlerLimitDetail[] = [];
    @Injectable()
    class Custom extends RoostThrottlerGuard {
      protected override headerPrefix = 'X-Mine';
      protected override shouldSkip(context: ExecutionContext): Promise<boolean> {
        return Promise.resolve(context.getHandler().name === 'other');
      }
      protected override getTracker(): Promise<string> {
        return Promise.resolve('everybody');
      }
      protected override generateKey(context: ExecutionContext, suffix: string, name: string): string {
        asked.push(`${suffix} ${name}`);
        return super.generateKey(context, suffix, name);
      }
      protected override getErrorMessage(_context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<string> {
        details.push(detail);
        return Promise.resolve('my words');
      }
    }
    const get = await open({ guard: Custom, throttlers: [{ ttl: MINUTE, limit: 1 }] });
    const [passed, refused] = [await get('plain'), await get('plain')];
    expect([passed.headers.get('x-mine-remaining'), passed.headers.get('x-ratelimit-remaining')]).toEqual(['0', null]);
    expect([refused.status, await refused.json()]).toEqual([429, { statusCode: 429, message: 'my words' }]);
    expect(await statuses(get, times(3, 'other'))).toEqual([200, 200, 200]);
    expect(asked).toEqual(['everybody default', 'everybody default']);
    expect(details).toEqual([
      {
        ttl: MINUTE,
        limit: 1,
        key: expect.stringMatching(/^[0-9a-f]{64}$/),
        tracker: 'everybody',
        totalHits: 2,
        timeToExpire: expect.any(Number),
        isBlocked: true,
        timeToBlockExpire: 60,
      },
    ]);
  });

  it('hands over to its parent where a subclass handles requests itself, or the storage decides one at a time', async () => {
    const handled: string[] = [];
    @Injectable()
    class Handling extends RoostThrottlerGuard {
      protected override handleRequest(request: ThrottlerRequest): Promise<boolean> {
        handled.push(request.throttler.name!);
        return super.handleRequest(request);
      }
    }
    const expected = await walk(
      await open({ storage: 'reference', guard: ThrottlerGuard, throttlers: two }),
      times(5, 'plain'),
    );
    expect(await walk(await open({ guard: Handling, throttlers: two }), times(5, 'plain'))).toEqual(expected);
    expect(handled.slice(0, 2)).toEqual(['short', 'long']);
    expect(await walk(await open({ storage: 'reference', throttlers: two }), times(5, 'plain'))).toEqual(expected);
  });

  it('speaks the headers of the IETF draft by the modern preset', async () => {
    const get = await open({ throttlers: two, roost: { preset: 'modern' } });
    const responses = [];
    for (let i = 0; i < 4; i++) responses.push(await get('plain'));
    const told = responses.map(({ headers }) =>
      ['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => headers.get(name)),
    );
    const policy = '"short";q=5;w=10, "long";q=3;w=60';
    expect(told[0]).toEqual([policy, '"short";r=4;t=10, "long";r=2;t=60', null]);
    expect(told[3]).toEqual([policy, '"long";r=0;t=60', '60']);
    expect([...responses[3]!.headers.keys()].filter((name) => /^x-rate|-long/.test(name))).toEqual([]);
  });

  it('74: a name that no header can carry fails the boot', async () => {
    await expect(open({ throttlers: [{ name: 'läng', ttl: MINUTE, limit: 1 }] })).rejects.toThrow(
      /printable ASCII.*läng/s,
    );
  });

  it('an invalid limit is an error as before', async () => {
    const throttlers = [{ ttl: MINUTE, limit: () => 'many' as unknown as number }];
    expect(await statuses(await open({ throttlers }), ['plain'])).toEqual([500]);
  });

  it('two applications share counts through Redis, and a limit holds for both', async () => {
    const [left, right] = [await open(), await open()];
    expect([...(await statuses(left, times(2, 'plain'))), ...(await statuses(right, times(2, 'plain')))]).toEqual([
      200, 200, 200, 429,
    ]);
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? left : right)('other')));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(3);
  });

  it('47, 48: a Redis that dies is no error: this process, nobody or a refusal decides, within the deadline', async () => {
    for (const [outage, expected] of [
      ['local', [200, 200, 200, 429]],
      ['open', [200, 200, 200, 200]],
      ['closed', [429, 429, 429, 429]],
    ] as const) {
      const own = await RedisServer.start();
      const get = await open({ redis: { url: own.url, commandTimeoutMs: 250 }, roost: { outage } });
      expect(await statuses(get, ['other'])).toEqual([200]);
      own.freeze();
      const startedAt = performance.now();
      const found = await statuses(get, times(4, 'plain'));
      expect(found).toEqual(expected);
      expect(performance.now() - startedAt).toBeLessThan(2_000); // with one deadline, and not one for each request
      await own.kill();
      expect(await statuses(get, times(4, 'strict'))).toEqual(
        outage === 'local' ? [200, 429, 429, 429] : [...expected],
      );
      const refused = await get('strict');
      if (outage === 'closed') expect(refused.headers.get('retry-after')).toBe('1');
      expect(apps.at(-1)!.get(HealthRegistry).reports()['throttler']).toMatchObject({
        status: 'degraded',
        backend: 'memory',
      });
      await own.stop();
    }
  });
});
