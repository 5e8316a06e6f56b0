import {
  ConsoleLogger,
  Controller,
  Get,
  Injectable,
  Req,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { INestApplication } from '@nestjs/common';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { decisionOf } from '../decision.js';
import { RateLimit, SkipRateLimit } from '../policies/rate-limit.decorator.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { ThrottleModule } from '../throttle.module.js';
import type { ThrottleOptions } from '../throttle.options.js';

/** Takes the user from a header, as an authentication guard would from a token. */
@Injectable()
class HeaderAuth implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    const id = request.headers['x-user'];
    if (id !== undefined) request.user = { id };
    return true;
  }
}

const NEVER_IN_A_TEST = '1h';

@Controller()
class PlainController {
  @Get('login')
  @RateLimit('login')
  @UseGuards(HeaderAuth)
  login() {
    return 'in';
  }

  @Get('inline')
  @RateLimit([
    { limit: 5, window: '10s', name: 'short' },
    { limit: 1, window: '60s', name: 'long' },
  ])
  inline() {
    return 'ok';
  }

  @Get('quotes')
  @RateLimit({ limit: 'byTier', key: 'apiKey' })
  quotes() {
    return 'quote';
  }

  @Get('decision')
  @RateLimit({ limit: 3, window: NEVER_IN_A_TEST })
  decision(@Req() request: { raw?: object }) {
    const { allowed, state, backend } = decisionOf(request)!;
    return { allowed, state, backend, seenOnRaw: decisionOf(request.raw ?? request) !== undefined };
  }

  @Get('costly')
  @RateLimit({ limit: 10, window: NEVER_IN_A_TEST, cost: 4 })
  costly() {
    return 'ok';
  }

  @Get('refused')
  @RateLimit({ limit: 0, window: '1s' })
  refused() {
    return 'never';
  }

  @Get('free')
  free() {
    return 'free';
  }
}

@Controller('class')
@RateLimit({ limit: 2, window: NEVER_IN_A_TEST })
class LimitedController {
  @Get('a')
  a() {
    return 'a';
  }

  @Get('b')
  b() {
    return 'b';
  }

  @Get('own')
  @RateLimit({ limit: 1, window: NEVER_IN_A_TEST })
  own() {
    return 'own';
  }

  @Get('skipped')
  @SkipRateLimit()
  skipped() {
    return 'skipped';
  }
}

const options: ThrottleOptions = {
  policies: {
    login: [
      { name: 'user', limit: 2, window: NEVER_IN_A_TEST, key: 'user' },
      { name: 'address', limit: 5, window: NEVER_IN_A_TEST },
    ],
  },
  tiers: { free: '2/1h', pro: '4/1h', enterprise: 'unlimited' },
  tierOf: (context) =>
    context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-api-key']?.split('-')[0],
};

const adapters = { express: () => new ExpressAdapter(), fastify: () => new FastifyAdapter() };

describe.each(Object.entries(adapters))('RateLimitGuard on %s', (_name, adapter) => {
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

  async function open(
    overrides: ThrottleOptions = {},
    redis: object = { url: server.url, commandTimeoutMs: 2_000 },
    providers: object[] = [],
  ) {
    const testing = await Test.createTestingModule({
      imports: [RedisModule.forRoot(redis), ThrottleModule.forRoot({ ...options, ...overrides })],
      controllers: [PlainController, LimitedController],
      providers: providers as never,
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    const app = testing.createNestApplication(adapter());
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return (path: string, headers: Record<string, string> = {}) => fetch(`${url}/${path}`, { headers });
  }

  const statuses = async (get: Awaited<ReturnType<typeof open>>, paths: string[], headers = {}) => {
    const found: number[] = [];
    for (const path of paths) found.push((await get(path, headers)).status);
    return found;
  };

  it('70: tells of all limits on what passes', async () => {
    const get = await open();
    const { status, headers } = await get('login', { 'x-user': 'alice' });
    expect(status).toBe(200);
    expect(headers.get('ratelimit-policy')).toBe('"login.user";q=2;w=3600, "login.address";q=5;w=3600');
    expect(headers.get('ratelimit')).toBe('"login.user";r=1;t=1800, "login.address";r=4;t=720');
    expect([headers.get('retry-after'), headers.get('x-ratelimit-limit')]).toEqual([null, null]);
  });

  it('34, 71, 78: refuses with 429, one Retry-After and a problem, and charges nothing', async () => {
    const get = await open();
    expect(await statuses(get, ['inline', 'inline', 'inline'])).toEqual([200, 429, 429]);
    const refused = await get('inline');
    expect(refused.headers.get('ratelimit')).toBe('"long";r=0;t=60');
    // A refusal that is known already tells of the limits that object alone.
    expect(refused.headers.get('ratelimit-policy')).toMatch(/^("short";q=5;w=10, )?"long";q=1;w=60$/);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await refused.json()).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      detail: '"long" allows 1 per 60 s. Try again in 60 s.',
      errorCode: 'throttle.exceeded',
      'violated-policies': ['long'],
    });
  });

  it('14: a limit of 0 says no, and not when', async () => {
    const get = await open();
    const { status, headers } = await get('refused');
    expect([status, headers.get('retry-after')]).toEqual([429, null]);
  });

  it('counts users apart, and those without one by address', async () => {
    const get = await open();
    expect(await statuses(get, ['login', 'login', 'login'], { 'x-user': 'alice' })).toEqual([200, 200, 429]);
    expect(await statuses(get, ['login', 'login', 'login'], { 'x-user': 'bob' })).toEqual([200, 200, 429]);
    expect(await statuses(get, ['login', 'login'])).toEqual([200, 429]); // the fifth of the address
  });

  it('counts the same subjects as RateLimiter, by name or by address', async () => {
    const get = await open();
    const limiter = apps[0]!.get(RateLimiter);
    await get('login', { 'x-user': 'alice' });
    const seen = await limiter.peek('login', { user: 'alice', address: '127.0.0.1' });
    expect(seen.policies.map(({ remaining }) => remaining)).toEqual([1, 4]);
    expect(await limiter.reset('alice')).toBe(1);
    expect(await statuses(get, ['login', 'login', 'login'])).toEqual([200, 200, 429]); // no user: by address
    expect(await limiter.reset('127.0.0.1')).toBe(2);
    expect(await statuses(get, ['login', 'login', 'login'])).toEqual([200, 200, 429]);
  });

  it('gives each tier its limit, and an unknown one the strictest', async () => {
    const get = await open();
    const five = Array.from({ length: 5 }, () => 'quotes');
    expect(await statuses(get, five, { 'x-api-key': 'free-1' })).toEqual([200, 200, 429, 429, 429]);
    expect(await statuses(get, five, { 'x-api-key': 'pro-1' })).toEqual([200, 200, 200, 200, 429]);
    expect(await statuses(get, five, { 'x-api-key': 'gold-1' })).toEqual([200, 200, 429, 429, 429]);
    expect(await statuses(get, five)).toEqual([200, 200, 429, 429, 429]);
  });

  it('asks nobody about the unlimited', async () => {
    const get = await open();
    const before = await server.commandStats();
    const answers = await Promise.all(Array.from({ length: 5 }, () => get('quotes', { 'x-api-key': 'enterprise-1' })));
    expect(answers.map(({ status, headers }) => [status, headers.get('ratelimit')])).toEqual(
      Array(5).fill([200, null]),
    );
    expect((await server.commandStats()).evalsha?.calls).toBe(before.evalsha?.calls);
  });

  it('shares the limit of a class among its routes; a method’s own replaces it, and a skip lifts it', async () => {
    const get = await open();
    expect(await statuses(get, ['class/a', 'class/b', 'class/a', 'class/b'])).toEqual([200, 200, 429, 429]);
    expect(await statuses(get, ['class/own', 'class/own'])).toEqual([200, 429]);
    expect(await statuses(get, ['class/skipped', 'class/skipped', 'class/skipped'])).toEqual([200, 200, 200]);
    expect((await get('class/own')).headers.get('ratelimit-policy')).toBe('"LimitedController.own";q=1;w=3600');
  });

  it('charges the cost', async () => {
    const get = await open();
    expect(await statuses(get, ['costly', 'costly', 'costly'])).toEqual([200, 200, 429]);
  });

  it('43: counts once though the guard is global as well', async () => {
    const get = await open({}, { url: server.url }, [{ provide: APP_GUARD, useClass: RateLimitGuard }]);
    expect(await statuses(get, ['class/own', 'class/own', 'free', 'class/skipped'])).toEqual([200, 429, 200, 200]);
    expect(await statuses(get, ['decision', 'decision', 'decision', 'decision'])).toEqual([200, 200, 200, 429]);
  });

  it('attaches the decision to the request', async () => {
    const get = await open();
    const body = (await (await get('decision')).json()) as unknown;
    expect(body).toEqual({ allowed: true, state: 'allow', backend: 'redis', seenOnRaw: true });
  });

  it('leaves routes without limits alone', async () => {
    const { status, headers } = await (await open())('free');
    expect([status, headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([200, null, null]);
  });

  it('sends X-RateLimit-* when asked to', async () => {
    const get = await open({ headers: ['x-ratelimit'] });
    const { headers } = await get('inline');
    const told = ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`));
    expect([headers.get('ratelimit'), told]).toEqual([null, ['1', '0', '60']]);
  });

  it('shares limits between applications by Redis, and not in memory', async () => {
    const [one, two] = [await open(), await open()];
    expect([...(await statuses(one, ['class/own'])), ...(await statuses(two, ['class/own']))]).toEqual([200, 429]);
    const [three, four] = [await open({}, {}), await open({}, {})];
    expect(await statuses(three, ['class/own', 'class/own'])).toEqual([200, 429]);
    expect(await statuses(four, ['class/own', 'class/own'])).toEqual([200, 429]);
  });

  it('47: lets a closed policy refuse with 503 while Redis is lost, and others go on here', async () => {
    const lost = { url: 'redis://127.0.0.1:1', bootWaitMs: 50 };
    const get = await open({ outage: 'closed' }, lost);
    const refused = await get('class/own');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await refused.json()).toMatchObject({
      status: 503,
      errorCode: 'throttle.unavailable',
      'violated-policies': ['LimitedController.own'],
    });
    const local = await open({}, lost);
    expect(await statuses(local, ['class/own', 'class/own'])).toEqual([200, 429]);
    const free = await open({ outage: 'open' }, lost);
    expect(await statuses(free, ['class/own', 'class/own'])).toEqual([200, 200]);
  });

  it('48: no request fails when Redis is killed under it', async () => {
    const own = await RedisServer.start();
    const get = await open({}, { url: own.url });
    expect(await statuses(get, ['class/own'])).toEqual([200]);
    await own.kill();
    expect(await statuses(get, ['class/own', 'class/own', 'class/own'])).toEqual([200, 429, 429]);
    await own.stop();
  });
});
