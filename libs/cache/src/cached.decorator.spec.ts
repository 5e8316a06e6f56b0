import { Injectable, Module, SetMetadata, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RedisModule, RedisUnavailableError, RedisConnections } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheModule } from './cache.module.js';
import { CacheService } from './cache.service.js';
import { becomes } from './cache.testbed.js';
import { Cached, CacheEvict, type CachedOptions } from './cached.decorator.js';

let runs: Record<string, number> = {};
const ran = (name: string) => (runs[name] = (runs[name] ?? 0) + 1);
const failure = Object.assign(new Error('business'), { status: 409 });

@Injectable()
class Cars {
  readonly city = 'Graz';

  @SetMetadata('before', 1)
  @Cached({ key: (id: string) => `car:${id}`, tags: (id: string) => [`car:${id}`, 'cars'], ttl: '1m' })
  @SetMetadata('after', 2)
  async find(id: string, note = ''): Promise<{ id: string; city: string; note: string; run: number }> {
    await sleep(1);
    return { id, city: this.city, note, run: ran(`find ${id}`) };
  }

  @Cached({ key: 'all', tags: ['cars'] })
  async all(): Promise<number> {
    return ran('all');
  }

  @Cached({ key: 'broken' })
  async broken(): Promise<never> {
    ran('broken');
    throw failure;
  }

  @CacheEvict({ key: (id: string) => `car:${id}` })
  async rename(_id: string, fails: boolean): Promise<string> {
    if (fails) throw failure;
    return 'renamed';
  }

  @CacheEvict({ tags: ['cars'], key: ['x', 'y'] })
  async sell(): Promise<string> {
    return 'sold';
  }

  @CacheEvict({ key: 'all' })
  @Cached({ key: 'both' })
  async both(): Promise<number> {
    return ran('both');
  }

  @Cached({ key: (): string => undefined as never })
  async keyless(): Promise<number> {
    return ran('keyless');
  }
}

async function boot(...providers: Type[]) {
  @Module({ imports: [RedisModule.forRoot({}), CacheModule.forRoot()], providers })
  class App {}
  const app = (await Test.createTestingModule({ imports: [App] }).compile()).createNestApplication();
  await app.init();
  return app;
}

describe('@Cached and @CacheEvict', () => {
  let cars: Cars;
  let cache: CacheService;
  let close: () => Promise<void>;
  beforeEach(async () => {
    runs = {};
    const app = await boot(Cars);
    close = () => app.close();
    cars = app.get(Cars);
    cache = app.get(CacheService);
  });
  afterEach(() => close());

  it('run a method once for each key, with its own `this` and arguments', async () => {
    const found = await Promise.all([cars.find('1', 'first'), cars.find('1', 'second'), cars.find('2')]);
    expect(found).toEqual([
      { id: '1', city: 'Graz', note: 'first', run: 1 },
      { id: '1', city: 'Graz', note: 'first', run: 1 },
      { id: '2', city: 'Graz', note: '', run: 1 },
    ]);
    expect(await cache.get('car:1')).toEqual(found[0]);
  });

  it('find what to invalidate by the arguments, and by tags', async () => {
    await Promise.all([cars.find('1'), cars.find('2'), cars.all()]);
    expect(await cars.rename('1', false)).toBe('renamed');
    expect(await cache.getMany(['car:1', 'car:2', 'all'])).toEqual([undefined, expect.anything(), 1]);
    await cache.invalidateTags('car:2');
    expect(await cache.get('car:2')).toBeUndefined();
    await Promise.all([cars.find('1'), cars.find('2'), cache.set('y', 1)]);
    expect(await cars.sell()).toBe('sold');
    expect(await cache.getMany(['car:1', 'car:2', 'all', 'y'])).toEqual(Array.from({ length: 4 }, () => undefined));
  });

  it('let errors pass unchanged, and invalidate nothing then', async () => {
    await expect(cars.broken()).rejects.toBe(failure);
    await expect(cars.broken()).rejects.toBe(failure);
    expect(runs['broken']).toBe(2);
    await cars.find('1');
    await expect(cars.rename('1', true)).rejects.toBe(failure);
    expect(await cache.get('car:1')).toBeDefined();
    await expect(cars.keyless()).rejects.toThrow(/key/i);
  });

  it('can both stand on one method', async () => {
    await cars.all();
    expect([await cars.both(), await cars.both()]).toEqual([1, 1]);
    expect(await cache.get('all')).toBeUndefined();
  });

  it('keep name, length and metadata of the method', () => {
    const { find } = Cars.prototype;
    expect([find.name, find.length]).toEqual(['find', 1]);
    expect([Reflect.getMetadata('before', find), Reflect.getMetadata('after', find)]).toEqual([1, 2]);
  });

  it('refuse what Nest did not make', async () => {
    await expect(new Cars().find('1')).rejects.toThrow(/was given no cache/);
    expect(runs).toEqual({});
  });

  it('keep an application from starting without the module', async () => {
    @Module({ providers: [Cars] })
    class App {}
    await expect(Test.createTestingModule({ imports: [App] }).compile()).rejects.toThrow(/CacheService/);
  });

  it('keep an application from starting with wrong options, and name them all', async () => {
    @Injectable()
    class Wrong {
      @Cached({ key: 'a', ttl: '10x' as never, jitter: 3 })
      async one(): Promise<void> {}
      @Cached({ key: 'b', tags: [''], tll: 1 } as CachedOptions<[]>)
      async two(): Promise<void> {}
    }
    await expect(boot(Wrong)).rejects.toThrow(/Wrong\.one[^]*10x[^]*jitter[^]*Wrong\.two[^]*tll[^]*tag/);
  });

  it.each<[string, () => unknown]>([
    ['no key', () => Cached({ key: '' })({}, 'x', { value: async () => 1 })],
    ['nothing to invalidate', () => CacheEvict({})({}, 'x', { value: async () => 1 })],
    ['a static method', () => Cached({ key: 'a' })(class {}, 'x', { value: async () => 1 })],
    ['an accessor', () => Cached({ key: 'a' })({}, 'x', { get: () => async () => 1 })],
  ])('refuse %s where they stand', (_what, decorate) => {
    expect(decorate).toThrow(/@Cache\w* on/);
  });
});

describe('@Cached over a Redis that fails', () => {
  it.each(['cache.begin', 'cache.commit', 'cache.tag'])(
    'runs the method exactly once when %s fails',
    async (broken) => {
      const server = await RedisServer.start();
      @Module({ imports: [RedisModule.forRoot({ url: server.url }), CacheModule.forRoot()], providers: [Cars] })
      class App {}
      const app = (await Test.createTestingModule({ imports: [App] }).compile()).createNestApplication();
      try {
        await app.init();
        runs = {};
        await becomes(() => app.get(CacheService).stats().near.coherent);
        const { commands } = app.get(RedisConnections).get('default').backend;
        const run = commands.run.bind(commands);
        commands.run = ((script, keys, args) =>
          script.name === broken
            ? Promise.reject(new RedisUnavailableError('timeout', 'lost', true))
            : run(script, keys, args)) as typeof run;
        expect(await app.get(Cars).find('1')).toMatchObject({ id: '1', run: 1 });
        expect(runs).toEqual({ 'find 1': 1 });
      } finally {
        await app.close();
        await server.stop();
      }
    },
  );
});
