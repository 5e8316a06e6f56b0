import {
  ConsoleLogger,
  Controller,
  Get,
  Head,
  Injectable,
  Post,
  UseGuards,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { Metrics, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import type { FastifyInstance } from 'fastify';
import { decisionOf, type Decision } from '../decision.js';
import { RateLimit, SkipRateLimit } from '../policies/rate-limit.decorator.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { RateLimitShortcuts } from '../shortcuts/rate-limit.shortcuts.js';
import { ThrottleModule } from '../throttle.module.js';
import type { ThrottleOptions } from '../throttle.options.js';
import { EarlyRefusals } from './early-refusals.js';
import { RateLimitGuard } from './rate-limit.guard.js';

const WINDOW = '1h';
/** How often Nest's pipeline was entered. */
const entered: string[] = [];

@Injectable()
class Counts implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ url: string; user?: object; headers: Record<string, string> }>();
    entered.push(request.url);
    if (request.headers['x-user'] !== undefined) request.user = { id: request.headers['x-user'] };
    return true;
  }
}

/** Lets administrators pass whatever the limit says. */
@Injectable()
class LenientGuard extends RateLimitGuard {
  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['x-admin'] === 'yes' ? true : super.canActivate(context);
  }
}

@Controller()
class Routes {
  @Get('items/:id')
  @RateLimit({ limit: 1, window: WINDOW, name: 'items' })
  @UseGuards(Counts)
  item() {
    return 'item';
  }

  @Post('items/:id')
  @RateLimit({ limit: 1, window: WINDOW, name: 'posted' })
  @UseGuards(Counts)
  posted() {
    return 'posted';
  }

  @Get('keyed')
  @RateLimit({ limit: 1, window: WINDOW, name: 'keyed', key: 'apiKey' })
  @UseGuards(Counts)
  keyed() {
    return 'keyed';
  }

  @Get('mine')
  @RateLimit([
    { limit: 1, window: WINDOW, name: 'mine', key: 'user' },
    { limit: 2, window: WINDOW, name: 'all' },
  ])
  @UseGuards(Counts)
  mine() {
    return 'mine';
  }

  @Get('costly')
  @RateLimit({
    limit: 10,
    window: WINDOW,
    name: 'costly',
    cost: (context) =>
      Number(context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-cost']),
  })
  @UseGuards(Counts)
  costly() {
    return 'costly';
  }

  @Get('two-windows')
  @RateLimit([
    { limit: 1, window: '300ms', name: 'short', algorithm: 'fixed-window' },
    { limit: 1_000, window: WINDOW, name: 'long' },
  ])
  @UseGuards(Counts)
  two() {
    return 'two';
  }

  @Get('shared/a')
  @RateLimit('shared')
  @UseGuards(Counts)
  a() {
    return 'a';
  }

  @Get('shared/b')
  @RateLimit('shared')
  @UseGuards(Counts)
  b() {
    return 'b';
  }

  @Head('only-head')
  @RateLimit({ limit: 0, window: WINDOW, name: 'never' })
  @UseGuards(Counts)
  head() {}
}

@Controller('skipping')
@RateLimit({ limit: 1, window: WINDOW, name: 'class' })
class Skipping {
  @Get('limited')
  @UseGuards(Counts)
  limited() {
    return 'limited';
  }

  @Get('skipped')
  @SkipRateLimit()
  @UseGuards(Counts)
  skipped() {
    return 'skipped';
  }
}

@Controller({ path: 'versioned', version: '1' })
class FirstVersion {
  @Get()
  @RateLimit({ limit: 1, window: WINDOW, name: 'v1' })
  @UseGuards(Counts)
  get() {
    return 'one';
  }
}

@Controller({ path: 'versioned', version: '2' })
class SecondVersion {
  @Get()
  @UseGuards(Counts)
  get() {
    return 'two';
  }
}

const adapters = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
};

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server?.stop());

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('early refusals on %s', (adapter) => {
  describe.each(['memory', 'redis'] as const)('counted in %s', (backend) => {
    const logged: [status: number, decision: Decision | undefined][] = [];
    let app: INestApplication;
    let url: string;

    beforeEach(async () => {
      entered.length = logged.length = 0;
      await server.command('FLUSHALL');
    });
    afterEach(() => app.close());

    async function open(
      options: ThrottleOptions = {},
      change = (testing: TestingModuleBuilder) => testing,
    ): Promise<EarlyRefusals> {
      const redis = backend === 'redis' ? { url: server.url, commandTimeoutMs: 2_000 } : {};
      const builder = Test.createTestingModule({
        imports: [
          RedisModule.forRoot(redis),
          ThrottleModule.forRoot({ policies: { shared: { limit: 1, window: WINDOW } }, ...options }),
        ],
        controllers: [Routes, Skipping, FirstVersion, SecondVersion],
      }).setLogger(new ConsoleLogger({ logLevels: ['fatal'] }));
      const testing = await change(builder).compile();
      app = testing.createNestApplication(adapters[adapter]());
      app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' });
      app.enableCors();
      logAnswers();
      await app.listen(0, '127.0.0.1');
      url = await app.getUrl();
      if (backend === 'redis') {
        const shortcuts = app.get(RateLimitShortcuts);
        await eventually(() => expect(shortcuts.listening).toBe(true), { within: 2_000, every: 5 });
      }
      return app.get(EarlyRefusals);
    }

    /** As the request log of a service does. */
    function logAnswers(): void {
      if (adapter === 'fastify') {
        const fastify = app.getHttpAdapter().getInstance() as FastifyInstance;
        fastify.addHook('onResponse', (request, reply, done) => {
          logged.push([reply.statusCode, decisionOf(request)]);
          done();
        });
      } else {
        app.use(
          (
            request: object,
            response: { statusCode: number; on(event: 'finish', f: () => void): void },
            next: () => void,
          ) => {
            response.on('finish', () => logged.push([response.statusCode, decisionOf(request)]));
            next();
          },
        );
      }
    }

    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${url}/${path}`, { headers, method });
    const statuses = async (paths: string[], headers: Record<string, string> = {}, method = 'GET') => {
      const found: number[] = [];
      for (const path of paths) found.push((await get(path, headers, method)).status);
      return found;
    };
    const told = async (answer: Response) => {
      const { date: _date, etag: _etag, ...headers } = Object.fromEntries(answer.headers);
      return { status: answer.status, headers, body: await answer.text() };
    };

    it('answers as the guard did, to the byte, without entering the pipeline', async () => {
      const early = await open();
      await get('items/1');
      const byGuard = await told(await get('items/1'));
      expect([early.size, entered.length]).toEqual([1, 2]);
      const before = await told(await get('items/1'));
      expect(entered).toHaveLength(2);
      const { 'content-length': _length, ...headers } = byGuard.headers;
      expect(before).toMatchObject({ ...byGuard, headers });
      expect(before).toMatchObject({
        status: 429,
        headers: { 'retry-after': '3600', 'access-control-allow-origin': '*' },
      });
      expect(JSON.parse(before.body)).toMatchObject({ errorCode: 'throttle.exceeded', 'violated-policies': ['items'] });
    });

    it('are seen by request logs, metrics and decisionOf like all others', async () => {
      await open();
      await statuses(['items/1', 'items/1', 'items/1', 'items/1']);
      await eventually(() => expect(logged).toHaveLength(4), { within: 1_000, every: 5 });
      expect(logged.map(([status, decision]) => [status, decision?.state, decision?.backend])).toEqual([
        [200, 'allow', backend],
        ...Array<unknown>(3).fill([429, 'throttle', backend]),
      ]);
      expect(await app.get(Metrics).registry.metrics()).toContain(
        `roost_rate_limit_decisions_total{policy="items",state="throttle",backend="${backend}"} 3`,
      );
    });

    it('tell the time that is left', async () => {
      const early = await open();
      await statuses(['items/1', 'items/1']);
      const now = jest.spyOn(performance, 'now');
      const start = performance.now();
      const at = async (ms: number) => {
        now.mockReturnValue(start + ms);
        const answer = await get('items/1');
        return [
          answer.headers.get('retry-after'),
          answer.headers.get('ratelimit'),
          (await answer.text()).match(/in (\d+) s/)?.[1],
        ];
      };
      try {
        expect(await at(10_500)).toEqual(['3590', '"items";r=0;t=3590', '3590']);
        expect(await at(10_900)).toEqual(['3590', '"items";r=0;t=3590', '3590']);
        expect(await at(11_100)).toEqual(['3589', '"items";r=0;t=3589', '3589']);
        expect(entered).toHaveLength(2);
        now.mockReturnValue(start + 3_600_001);
        expect(early.answerTo('GET /items/1', { ip: '127.0.0.1' })).toBeUndefined();
      } finally {
        now.mockRestore();
      }
    });

    it('end at the time that was told', async () => {
      const early = await open();
      const answers = (status: number) =>
        eventually(async () => expect((await get('two-windows')).status).toBe(status), { within: 5_000, every: 1 });
      await answers(429);
      expect(early.size).toBe(1);
      await answers(200);
      expect(early.size).toBe(0);
    });

    it('do not leave their route, its method or its version', async () => {
      const early = await open();
      await statuses(['items/1', 'items/1', 'items/1']);
      expect(entered).toHaveLength(2);
      expect(await statuses(['items/1'], {}, 'POST')).toEqual([201]);
      await statuses(['items/1'], {}, 'OPTIONS');
      const [first, second] = [{ 'x-version': '1' }, { 'x-version': '2' }];
      expect(await statuses(['versioned', 'versioned', 'versioned'], first)).toEqual([200, 429, 429]);
      expect(await statuses(['versioned', 'versioned', 'versioned'], second)).toEqual([200, 200, 200]);
      // Express has one path for both versions: it never learns there.
      expect(early.size).toBe(adapter === 'fastify' ? 2 : 1);
    });

    it('refuse HEAD only where HEAD itself was refused', async () => {
      await open();
      await statuses(['items/1', 'items/1']);
      entered.length = 0;
      const heads = await statuses(['items/1', 'items/1', 'items/1'], {}, 'HEAD');
      expect(heads).toEqual([429, 429, 429]);
      expect(entered).toHaveLength(1);
      expect(await (await get('items/1', {}, 'HEAD')).text()).toBe('');
    });

    it('leave what is skipped alone', async () => {
      await open();
      expect(await statuses(['skipping/limited', 'skipping/limited', 'skipping/limited'])).toEqual([200, 429, 429]);
      expect(await statuses(['skipping/skipped', 'skipping/skipped'])).toEqual([200, 200]);
      expect(entered).toHaveLength(3); // the guard of the class comes first, and refused the second
    });

    it('know an API key from another, and nobody without one', async () => {
      const early = await open();
      expect(await statuses(['keyed', 'keyed', 'keyed'], { 'x-api-key': 'one' })).toEqual([200, 429, 429]);
      expect(entered).toHaveLength(2);
      expect(await statuses(['keyed', 'keyed', 'keyed'], { 'x-api-key': 'two' })).toEqual([200, 429, 429]);
      expect(early.size).toBe(2);
      expect(await statuses(['keyed', 'keyed', 'keyed'])).toEqual([200, 429, 429]); // by address
      expect([early.size, entered.length]).toEqual([2, 7]);
    });

    it('learn nothing of users, changing costs and limits of zero', async () => {
      const early = await open();
      expect(await statuses(['mine', 'mine', 'mine'], { 'x-user': 'alice' })).toEqual([200, 429, 429]);
      expect(await statuses(['costly', 'costly'], { 'x-cost': '8' })).toEqual([200, 429]);
      expect(await statuses(['costly'], { 'x-cost': '2' })).toEqual([200]);
      expect(await statuses(['only-head', 'only-head'], {}, 'HEAD')).toEqual([429, 429]);
      expect(early.size).toBe(0);
      expect(await statuses(['mine', 'mine'], { 'x-user': 'bob' })).toEqual([200, 429]);
      expect(await statuses(['mine', 'mine'], { 'x-user': 'eve' })).toEqual([429, 429]); // by address only
      expect(early.size).toBe(1);
    });

    it('learn nothing from a guard that somebody has derived', async () => {
      const early = await open({}, (testing) => testing.overrideGuard(RateLimitGuard).useClass(LenientGuard));
      expect(await statuses(['items/1', 'items/1'])).toEqual([200, 429]);
      expect(await statuses(['items/1'], { 'x-admin': 'yes' })).toEqual([200]);
      expect(early.size).toBe(0);
    });

    it('end with a reset, on every route that shares the limit', async () => {
      const early = await open();
      expect(await statuses(['shared/a', 'shared/a', 'shared/b', 'shared/b'])).toEqual([200, 429, 429, 429]);
      expect(early.size).toBe(2);
      await app.get(RateLimiter).reset('127.0.0.1');
      expect(early.size).toBe(0);
      expect(await statuses(['shared/b', 'shared/b'])).toEqual([200, 429]);
    });

    it('end with a reset in another process', async () => {
      if (backend === 'memory') return open().then(() => undefined); // each process counts for itself
      await open();
      const other = app;
      try {
        await open();
        expect(await statuses(['shared/a', 'shared/a', 'shared/a'])).toEqual([200, 429, 429]);
        expect(entered).toHaveLength(2);
        await other.get(RateLimiter).reset('127.0.0.1');
        await eventually(() => expect(app.get(EarlyRefusals).size).toBe(0), { within: 2_000, every: 5 });
        expect(await statuses(['shared/a'])).toEqual([200]);
      } finally {
        await other.close();
      }
      return undefined;
    });

    it('can be left to the guard', async () => {
      const early = await open({ refuseEarly: false });
      expect(await statuses(['items/1', 'items/1', 'items/1'])).toEqual([200, 429, 429]);
      expect([early.size, entered.length]).toEqual([0, 3]);
    });
  });
});
