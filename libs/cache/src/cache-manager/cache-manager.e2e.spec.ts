import { CacheInterceptor, CacheKey, CacheTTL } from '@nestjs/cache-manager';
import { Controller, Get, Module, Param, Post, Query, UseInterceptors, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { RoostCacheManagerModule } from '../cache-manager.js';

@Controller('cars')
@UseInterceptors(CacheInterceptor)
class CarsController {
  runs = 0;

  @Get()
  list(@Query('city') city: string) {
    return { city, run: ++this.runs };
  }

  @Get('short')
  @CacheTTL(1_500)
  short() {
    return { run: ++this.runs };
  }

  @Get('named')
  @CacheKey('named-car')
  named() {
    return { run: ++this.runs };
  }

  @Post(':id')
  change(@Param('id') id: string) {
    return { id, run: ++this.runs };
  }
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server?.stop());

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('CacheInterceptor on %s', (adapterName, adapter) => {
  describe.each(['redis', 'memory'])('over %s', (place) => {
    const namespace = `e2e-${adapterName}`;
    let app: INestApplication;
    let base: string;

    beforeAll(async () => {
      @Module({
        imports: [
          RedisModule.forRoot(place === 'redis' ? { url: server.url, backend: 'redis', commandTimeoutMs: 5_000 } : {}),
          RoostCacheManagerModule.forRoot({ namespace, ttl: '30s' }),
        ],
        controllers: [CarsController],
      })
      class AppModule {}
      const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
      app = testing.createNestApplication(adapter(), { logger: false });
      await app.listen(0, '127.0.0.1');
      base = `${await app.getUrl()}/cars`;
    });
    afterAll(() => app?.close());

    /** The interceptor stores without being waited for: asks until it has. */
    async function twice(path: string) {
      const first = await ask(path);
      const second = await eventually(
        async () => {
          const answer = await ask(path);
          expect(answer.cache).toBe('HIT');
          return answer;
        },
        { within: 5_000 },
      );
      return [first, second] as const;
    }

    async function ask(path: string, method = 'GET') {
      const response = await fetch(base + path, { method });
      return { cache: response.headers.get('x-cache'), body: (await response.json()) as Record<string, unknown> };
    }

    it('answers the second request from the cache', async () => {
      const [first, second] = await twice('?city=bern');
      expect(first.cache).toBe('MISS');
      expect(second.body).toEqual({ city: 'bern', run: expect.any(Number) });
      expect((await ask('?city=basel')).cache).toBe('MISS');
    });

    it('keeps as long as @CacheTTL says, and under the name of @CacheKey', async () => {
      await twice('/short');
      await twice('/named');
      if (place === 'redis') {
        const ttl = (key: string) => server.command('PTTL', `roost:cache-manager:${namespace}:${key}`);
        expect(Number(await ttl('%2Fcars%2Fshort'))).toBeLessThanOrEqual(1_500);
        expect(Number(await ttl('named-car'))).toBeGreaterThan(20_000);
      }
      await eventually(async () => expect((await ask('/short')).cache).toBe('MISS'), { within: 5_000 });
    });

    it('leaves other methods alone', async () => {
      const [first, second] = [await ask('/1', 'POST'), await ask('/1', 'POST')];
      expect(second.body).not.toEqual(first.body);
    });
  });
});

it('T27: closing the application leaves a client of its own open', async () => {
  const client = new Redis(server.url);
  const app = await Test.createTestingModule({
    imports: [RedisModule.forRoot({ client, backend: 'redis' }), RoostCacheManagerModule.forRoot()],
  }).compile();
  await app.init();
  await app.close();
  expect(await client.ping()).toBe('PONG');
  const named = () => server.command('CLIENT', 'LIST').then((list) => String(list).includes('name=roost:'));
  await eventually(async () => expect(await named()).toBe(false), { within: 5_000 });
  await client.quit();
});
