import { FaultProxy, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, LONG, openNode, type CacheNode } from './cache.testbed.js';

/** Where not every process hears of changes in the same way, and where nothing is heard at all. */
describe('coherence of processes that hear in different ways', () => {
  let server: RedisServer;
  const opened: CacheNode[] = [];
  beforeAll(async () => {
    server = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
    await server.command('ACL', 'SETUSER', 'poor', 'on', '>x', '~*', '&*', '+@all', '-client|tracking');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });
  afterAll(() => server.stop());

  async function open(...args: Parameters<typeof openNode>): Promise<CacheNode> {
    const node = await openNode(...args);
    opened.push(node);
    return node;
  }

  it('tells a process that must not track of what those do who need not announce, however they came', async () => {
    const before = await open({ url: server.url });
    const poor = await open({ url: server.url.replace('redis://', 'redis://poor:x@') });
    const after = await open({ url: server.url });
    for (const rich of [before, after]) {
      await rich.cache.set('key', 'OLD', { ...LONG, tags: ['tag'] });
      await becomes(async () => (await poor.cache.get('key'), poor.cache.peek('key') !== undefined));
      await rich.cache.delete('key');
      await becomes(() => poor.cache.peek('key') === undefined);
      expect(await poor.cache.get('key')).toBeUndefined();
      await rich.cache.getOrSet('key', () => 'loaded', { ...LONG, tags: ['tag'] });
      await becomes(async () => (await poor.cache.get('key'), poor.cache.peek('key') !== undefined));
      await rich.cache.invalidateTags('tag');
      await becomes(() => poor.cache.peek('key') === undefined);
    }
  }, 20_000);

  it('announces nothing while nobody has to be told', async () => {
    const [one, other] = [await open({ url: server.url }), await open({ url: server.url })];
    await server.command('DEL', ...(await server.keys('*of:listeners')), 'none');
    await sleep(20); // that there is no mark is asked again
    await server.command('CONFIG', 'RESETSTAT');
    await one.cache.set('quiet', 1, LONG);
    await other.cache.delete('quiet');
    expect((await server.commandStats())['publish']).toBeUndefined();
  });

  it('serves nothing that another server still has, where nothing tells of changes: a failover lost a deletion', async () => {
    const other = await RedisServer.start();
    const proxy = await FaultProxy.start({ target: { port: server.port } });
    const node = await open({ url: proxy.url }, { tracking: 'off' });
    await node.cache.set('lost', 'OLD', LONG);
    expect(await node.cache.get('lost')).toBe('OLD');
    await other.command('REPLICAOF', '127.0.0.1', server.port);
    await becomes(async () => String(await other.command('INFO', 'replication')).includes('master_link_status:up'));
    await other.command('REPLICAOF', 'NO', 'ONE');
    await node.cache.delete('lost');
    proxy.retarget(other.port);
    proxy.reset();
    // Not so often that Redis is given up, and looked at anew for that reason.
    for (let time = 0; time < 20; time++) {
      await sleep(30);
      expect(await node.cache.get('lost')).toBeUndefined();
      expect(node.redis.backend.current).toBe('redis');
    }
    await proxy.stop();
    await other.stop();
  });
});
