import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { RedisServer, eventually } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheModule, CacheService } from './index.js';

describe('try', () => {
  it('works', async () => {
    const server = await RedisServer.start();
    const open = async () => {
      const app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url: server.url }), CacheModule.forRoot({})] }).compile();
      await app.init();
      return { app, cache: app.get(CacheService) };
    };
    const [a, b] = [await open(), await open()];
    await eventually(() => expect(a.cache.stats().near.coherent && b.cache.stats().near.coherent).toBe(true));
    let runs = 0;
    const load = async () => { runs++; await sleep(20); return { n: runs }; };
    console.log(await Promise.all([a.cache.fetch('k', load, { tags: ['x'] }), b.cache.fetch('k', load, { tags: ['x'] }), a.cache.getOrSet('k', load)]));
    console.log(await a.cache.lookup('k'), a.cache.peek('k'));
    await sleep(20);
    console.log(await a.cache.lookup('k'), await b.cache.lookup('k'), runs, await server.keys());
    await server.command('CONFIG', 'RESETSTAT');
    for (let i = 0; i < 100; i++) await a.cache.get('k');
    console.log(Object.keys(await server.commandStats()), (await server.commandStats()).get);
    await b.cache.invalidateTags('x');
    await sleep(10);
    console.log(await a.cache.get('k'), await b.cache.get('k'));
    console.log(await a.cache.getOrSetMany(['k', 'l', 'm', 'k'], async (keys) => { console.log(keys); return keys.map((k) => k + '!'); }));
    console.log(await b.cache.getMany(['k', 'l', 'x']), await b.cache.clear(), await b.cache.getMany(['k', 'l', 'x']));
    await a.cache.set('s', { a: 1 }, { ttl: '1s', grace: '5s' });
    console.log(await b.cache.get('s'), await b.cache.ttl('s'), await b.cache.expire('s'), await b.cache.get('s'), await a.cache.fetch('s', () => { throw new Error('no'); }));
    console.log(await a.cache.delete('s'), await a.cache.delete('s'));
    console.log(a.cache.stats());
    await a.app.close(); await b.app.close();
    await server.stop();
  });
});
