import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, LONG, openNode, type CacheNode } from '../cache.testbed.js';

/** What is loaded while Redis is away is served again for a moment, and never after an invalidation that was heard of. */
describe('values of an outage', () => {
  let server: RedisServer;
  const opened: CacheNode[] = [];

  beforeEach(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await server.stop();
  });

  async function open(): Promise<CacheNode> {
    const node = await openNode({ url: server.url }, { outageTtl: '1m' });
    opened.push(node);
    return node;
  }

  it.each(['tag', 'all'])(
    '39: end by what others invalidate (%s) while this process still hears of it',
    async (what) => {
      const [a, b] = [await open(), await open()];
      a.redis.backend.force('memory');
      const options = { ...LONG, tags: ['tag'] };
      expect(await a.cache.getOrSet('key', () => 'OLD', options)).toBe('OLD');
      expect(await a.cache.getOrSet('key', () => 'too early', options)).toBe('OLD');
      await (what === 'tag' ? b.cache.invalidateTags('tag') : b.cache.clear());
      await becomes(async () => (await a.cache.getOrSet('key', () => 'NEW', options)) === 'NEW');
    },
  );

  it('39: are not kept by a load that an invalidation meets at its very end', async () => {
    const a = await open();
    await server.kill();
    await becomes(() => (['read', 'write'] as const).every((each) => a.redis.backend.choose(each) === 'memory'));
    const old: string[] = [];
    for (const what of ['key', 'tag', 'all']) {
      for (let turns = 0; turns < 30; turns++) {
        const key = `${what} ${turns}`;
        const options = { ...LONG, tags: [key], hardTimeout: '5s' } as const;
        let end!: (value: string) => void;
        const loading = a.cache.getOrSet(key, () => new Promise<string>((resolve) => (end = resolve)), options);
        await sleep(1);
        end('OLD');
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        if (what === 'key') await a.cache.delete(key);
        else await (what === 'tag' ? a.cache.invalidateTags(key) : a.cache.clear());
        await loading;
        if ((await a.cache.getOrSet(key, () => 'NEW', options)) === 'OLD') old.push(key);
      }
    }
    expect(old).toEqual([]);
  });
});
