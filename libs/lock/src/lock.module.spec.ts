import { PGlite } from '@electric-sql/pglite';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RedisModule, type RedisModuleOptions } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { LockLostError, LockShutdownError } from './lock.errors.js';
import { LockModule } from './lock.module.js';
import type { LockOptions } from './lock.options.js';
import { LockService } from './lock.service.js';

/** Boots an application with nothing but locks, and closes it when the test is over. */
const closing: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(closing.splice(0).map((close) => close()))));
async function boot(options: LockOptions, redis: RedisModuleOptions = {}): Promise<LockService> {
  const imports = [RedisModule.forRoot(redis), LockModule.forRootAsync({ useFactory: async () => options })];
  const app = (await Test.createTestingModule({ imports }).compile()).createNestApplication();
  closing.push(() => app.close());
  await app.init();
  return app.get(LockService);
}

describe('LockModule', () => {
  it('keeps locks in this process when there is no Redis, in production only when it is the only one', async () => {
    const backendOf = async (options: LockOptions) =>
      (await boot(options)).using('a', {}, async (lock) => lock.backend);
    expect(await backendOf({})).toBe('memory');
    await expect(boot({ production: true })).rejects.toThrow(/singleInstance: true/);
    expect(await backendOf({ production: true, singleInstance: true })).toBe('memory');
  });

  it('lets the guard decide in production when there is no Redis', async () => {
    const guard = await PGlite.create();
    closing.push(() => guard.close());
    const locks = await boot({ production: true, guard });
    await locks.using('a', {}, async (lock) =>
      expect(lock).toMatchObject({ backend: 'postgres', assurance: 'fenced' }),
    );
  }, 20_000);

  it('fails the boot without the Redis that is required', async () => {
    await expect(boot({ backend: 'redis' })).rejects.toThrow(/required by locks/);
  });

  it('fails the boot with every wrong option at once', async () => {
    const wrong = { tll: 1, ttl: '30', wait: '40d', maxTtl: '30d', driftRatio: 1, production: 'yes', guard: 4 };
    await expect(boot(wrong as unknown as LockOptions)).rejects.toThrow(
      /tll[^]*maxTtl` to be at most 24 days[^]*ttl[^]*wait` to be at most 24 days[^]*driftRatio[^]*production[^]*guard/,
    );
  });

  it.each([
    [{ ttl: 20 }, 100],
    [{ ttl: '5s', safetyMarginMs: 9_000 }, 9_093],
  ] as const)('refuses %j, under which every grant would come too late', async (options, shortestMs) => {
    await expect(boot(options)).rejects.toThrow(`at least ${shortestMs} ms`);
    const { ttl, ...rest } = options;
    await expect((await boot(rest)).acquire('a', { ttl })).rejects.toThrow(`from ${shortestMs} ms`);
  });

  it('refuses a Redis that may evict locks when it is strict', async () => {
    const server = await RedisServer.start({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] });
    try {
      await expect(boot({ strict: true }, { url: server.url })).rejects.toThrow(/evict/);
      await (
        await boot({}, { url: server.url })
      ).using('a', {}, async ({ assurance }) => expect(assurance).toBe('none'));
    } finally {
      await Promise.all(closing.splice(0).map((close) => close()));
      await server.stop();
    }
  });

  it('takes a lock from its holder, who is told at the next renewal', async () => {
    const locks = await boot({});
    const section = locks.using('a', { ttl: 300 }, async ({ signal }) => {
      await expect(locks.forceRelease('a', ' ')).rejects.toThrow('reason');
      await expect(locks.forceRelease('a', 'the host is gone')).resolves.toHaveLength(1);
      await expect(locks.inspect('a')).resolves.toMatchObject({ holders: [] });
      await new Promise((resume) => signal.addEventListener('abort', resume));
    });
    await expect(section).rejects.toThrow(LockLostError);
  });

  it('51: goes on waiting for locks while the server drains, until it closes', async () => {
    let wait!: (during: string) => void;
    const waited: Record<string, Promise<unknown>> = {};
    @Module({})
    class Draining {
      onModuleDestroy = () => wait('module destroy');
      beforeApplicationShutdown = () => wait('drain');
      onApplicationShutdown = () => wait('close');
    }
    const imports = [RedisModule.forRoot({}), LockModule.forRoot(), Draining];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    const locks = app.get(LockService);
    wait = (during) => {
      const holding = locks.acquire(during);
      waited[during] = holding.then(async (lock) => {
        setTimeout(() => void lock.release(), 20);
        const second = await locks.acquire(during).catch((error: unknown) => error);
        return second instanceof Error ? second : (second as typeof lock).release();
      });
      return waited[during] as never;
    };
    await app.close();
    await expect(waited['module destroy']).resolves.toBe(true);
    await expect(waited['drain']).resolves.toBe(true);
    await expect(waited['close']).resolves.toBeInstanceOf(LockShutdownError);
  });

  it('51: tells a section that takes longer than a shutdown waits for', async () => {
    const locks = await boot({ shutdownGrace: 20 });
    let told: unknown;
    const section = locks.using('a', {}, async ({ signal }) => {
      await new Promise((resume) => signal.addEventListener('abort', resume));
      told = signal.reason;
    });
    await new Promise((resume) => setTimeout(resume, 10));
    await closing.pop()!();
    await expect(section).rejects.toThrow(LockLostError);
    expect(told).toMatchObject({ reason: 'SHUTDOWN' });
  });
});
