import { ConsoleLogger, Controller, Get, Module, type DynamicModule, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { HealthRegistry, InvalidOptionsError, Metrics, RedisModule, RedisRequiredError } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { RateLimit } from './policies/rate-limit.decorator.js';
import { RateLimiter } from './rate-limiter.service.js';
import { ThrottleModule } from './throttle.module.js';

const silent = new ConsoleLogger({ logLevels: ['fatal'] });
const memory = RedisModule.forRoot({});

async function boot(imports: (DynamicModule | Type)[], controllers: Type[] = []) {
  const app = await Test.createTestingModule({ imports, controllers }).setLogger(silent).compile();
  await app.init().catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  return app;
}

async function errorOf(promise: Promise<{ close(): Promise<void> }>): Promise<Error> {
  const app = await promise.catch((error: Error) => error);
  if (app instanceof Error) return app;
  await app.close();
  throw new Error('Expected the boot to fail');
}

describe('ThrottleModule', () => {
  it('fails the boot with every problem of options and decorators in one error', async () => {
    @Controller()
    class Wrong {
      @Get('a')
      @RateLimit('logn')
      a() {}

      @Get('b')
      @RateLimit({ limit: 1.5, window: '1m' })
      b() {}
    }
    const throttle = ThrottleModule.forRoot({ policies: { login: { limit: 0.5, window: '1m' } }, replicas: -1 });
    const error = await errorOf(boot([memory, throttle], [Wrong]));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect((error as InvalidOptionsError).problems).toHaveLength(4);
    expect(error.message).toMatch(/replicas.*Policy "login".*Wrong\.a.*"logn".*Known are: login.*Wrong\.b.*1\.5/s);
  });

  it('fails the boot where a decorator is used without the module', async () => {
    @Controller()
    class Unprotected {
      @Get()
      @RateLimit({ limit: 1, window: '1m' })
      get() {}
    }
    const error = await errorOf(boot([memory], [Unprotected]));
    expect(error.message).toMatch(/resolve dependencies of the RateLimitGuard.*RateLimiter.*Potential solutions/s);
  });

  it('59: refuses two limits that would share a name by accident', async () => {
    const make = (): Type => {
      @Controller()
      class Same {
        @Get()
        @RateLimit({ limit: 1, window: '1m' })
        get() {}
      }
      return Same;
    };
    const error = await errorOf(boot([memory, ThrottleModule.forRoot()], [make(), make()]));
    expect(error.message).toMatch(/another limit is called "Same\.get"/);
  });

  it('lets two routes share a limit that is named on purpose', async () => {
    const shared = { name: 'shared', limit: 1, window: '1m' } as const;
    @Controller()
    class Two {
      @Get('a')
      @RateLimit(shared)
      a() {}

      @Get('b')
      @RateLimit(shared)
      b() {}
    }
    await (await boot([memory, ThrottleModule.forRoot()], [Two])).close();
  });

  it('refuses an unlike limit of a name that is taken', async () => {
    @Controller()
    class Clash {
      @Get()
      @RateLimit({ name: 'login', limit: 2, window: '1m' })
      get() {}
    }
    const throttle = ThrottleModule.forRoot({ policies: { login: { limit: 1, window: '1m' } } });
    expect((await errorOf(boot([memory, throttle], [Clash]))).message).toMatch(/another limit is called "login"/);
  });

  it('fails the boot when it is imported with options twice', async () => {
    const [one, two] = [ThrottleModule.forRoot({ replicas: 1 }), ThrottleModule.forRoot({ replicas: 2 })];
    const error = await errorOf(boot([memory, one, two]));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toMatch(/metric `roost_rate_limit.*once, in the root module/);
  });

  it('takes its options from a factory', async () => {
    @Module({ providers: [{ provide: 'LIMIT', useValue: 3 }], exports: ['LIMIT'] })
    class ConfigModule {}
    const throttle = ThrottleModule.forRootAsync({
      imports: [ConfigModule],
      inject: ['LIMIT'],
      useFactory: (limit: number) => ({ policies: { x: { limit, window: '1m' } } }),
    });
    const app = await boot([memory, throttle]);
    expect((await app.get(RateLimiter).peek('x', 'me')).policies[0]!.limit).toBe(3);
    await app.close();
  });

  it('fails the boot without a Redis when its backend is redis, whatever the connection’s', async () => {
    const lost = RedisModule.forRoot({ url: 'redis://127.0.0.1:1', bootWaitMs: 50 });
    const error = await errorOf(boot([lost, ThrottleModule.forRoot({ backend: 'redis' })]));
    expect(error).toBeInstanceOf(RedisRequiredError);
    expect(error.message).toMatch(/rate limits/);
  });

  it('never touches Redis when its backend is memory', async () => {
    const server = await RedisServer.start();
    const redis = RedisModule.forRoot({ url: server.url });
    const app = await boot([redis, ThrottleModule.forRoot({ backend: 'memory', outage: 'closed' })]);
    const decision = await app.get(RateLimiter).consume({ name: 'x', limit: 1, window: '1m' }, 'me');
    await app.get(RateLimiter).reset({ name: 'x', limit: 1, window: '1m' }, 'me');
    expect([decision.allowed, decision.backend]).toEqual([true, 'memory']);
    expect((await server.commandStats()).evalsha).toBeUndefined();
    expect(app.get(HealthRegistry).reports().throttle).toMatchObject({ status: 'up', backend: 'memory' });
    await app.close();
    await server.stop();
  });

  it('counts what it decides, and says how it is', async () => {
    const lost = RedisModule.forRoot({ url: 'redis://127.0.0.1:1', bootWaitMs: 50 });
    const app = await boot([lost, ThrottleModule.forRoot({ replicas: 2 })]);
    const limiter = app.get(RateLimiter);
    for (let i = 0; i < 3; i++) await limiter.consume({ name: 'two', limit: 4, window: '1m' }, 'me');
    await limiter.consume({ name: 'open', limit: 4, window: '1m', outage: 'open' }, 'me');
    await limiter.consume({ name: 'closed', limit: 4, window: '1m', outage: 'closed' }, 'me');
    const metrics = await app.get(Metrics).registry.metrics();
    expect(metrics).toContain('roost_rate_limit_decisions_total{policy="two",state="allow",backend="memory"} 2');
    expect(metrics).toContain('roost_rate_limit_decisions_total{policy="two",state="throttle",backend="memory"} 1');
    expect(metrics).toContain('roost_rate_limit_decisions_total{policy="closed",state="block",backend="memory"} 1');
    expect(metrics).toContain('roost_rate_limit_check_duration_seconds_count{backend="memory"} 5');
    expect(metrics).toContain('roost_rate_limit_fail_open_total{policy="open"} 1');
    expect(metrics).toContain('roost_rate_limit_memory_evictions_total 0');
    const health = { status: 'degraded', backend: 'memory', replicas: 2, canaryPercent: 100, memoryEntries: 1 };
    expect(app.get(HealthRegistry).reports().throttle).toMatchObject(health);
    await app.close();
  });
});
