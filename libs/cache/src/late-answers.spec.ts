import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { CacheModule } from './cache.module.js';
import { CacheService } from './cache.service.js';

class Root {}

/** Reads and writes travel on connections of their own: what was read before a write may come after it is done. */
describe('an answer that comes late', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let app: INestApplicationContext;
  let cache: CacheService;

  beforeAll(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
    const imports = [RedisModule.forRoot({ url: proxy.url }), CacheModule.forRoot({ near: false })];
    app = await NestFactory.createApplicationContext({ module: Root, imports }, { logger: false });
    cache = app.get(CacheService, { strict: false });
    await eventually(() => cache.stats().near.coherent, { within: 5_000 });
  });

  afterAll(async () => {
    await app.close();
    await proxy.stop();
    await server.stop();
  });

  it('is stale only for who asked before the invalidation', async () => {
    const options = { ttl: 10, grace: '1m', softTimeout: 0, jitter: 0 } as const;
    await cache.set('k', 'old', options);
    await eventually(async () => expect(await cache.get('k')).toBeUndefined(), { within: 1_000 });
    await proxy.jitter((reads) => (reads ? 30 : 0), '$3\r\nGET\r\n');
    await cache.get('another'); // marks the connection of reads

    let load!: (value: string) => void;
    const loaded = new Promise<string>((resolve) => (load = resolve));
    const before = cache.fetch('k', () => loaded, options);
    await new Promise((resolve) => setTimeout(resolve, 45)); // it was read, and the answer is on its way
    await cache.delete('k');
    expect((await before).value).toBe('old');
    const after = cache.fetch('k', () => loaded, options);
    load('new');
    expect((await after).value).toBe('new');
  });
});
