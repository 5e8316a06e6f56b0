import { HealthRegistry, RedisUnavailableError } from '@roost/redis';
import { FaultProxy, RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, fastest, logged, LONG, openNode, wireOf, type CacheNode } from './cache.testbed.js';

const fast = { commandTimeoutMs: 100, recheckMs: 100, heartbeatMs: 200 } as const;

/** What is served, and what is promised, while Redis is away, slow, full or damaged. */
describe('outages', () => {
  let server: RedisServer;
  const opened: CacheNode[] = [];

  beforeEach(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await server.stop();
  });

  async function open(...[redis, options]: Partial<Parameters<typeof openNode>>): Promise<CacheNode> {
    const node = await openNode({ url: server.url, ...fast, ...redis }, options);
    opened.push(node);
    return node;
  }
  const isCoherent = ({ cache }: CacheNode) => cache.stats().near.coherent;
  async function timed<T>(work: Promise<T>): Promise<readonly [T, number]> {
    const beganAt = performance.now();
    const value = await work;
    return [value, performance.now() - beganAt];
  }

  it('37: while Redis refuses, a miss comes at once, a load is served, and health says degraded', async () => {
    const client = new Redis(server.url, { maxRetriesPerRequest: null, lazyConnect: true });
    client.on('error', () => undefined); // the application's own client
    const a = await open({ url: undefined as never, client });
    await a.cache.set('37', 'in Redis', LONG);
    await server.kill();
    await becomes(() => !isCoherent(a));
    await becomes(() => a.redis.backend.current === 'memory');
    const tookMs = await fastest(5, async (round) => {
      const [missed, missedMs] = await timed(a.cache.get(`37 ${round}`));
      const [loaded, loadedMs] = await timed(a.cache.fetch(`37 ${round}`, () => 'loaded', LONG));
      expect([missed, loaded.value, loaded.stored]).toEqual([undefined, 'loaded', false]);
      return Math.max(missedMs, loadedMs);
    });
    expect(tookMs).toBeLessThan(10);
    expect(await a.cache.get('37')).toBeUndefined();
    expect(await a.cache.getOrSet('37', () => 'loaded', LONG)).toBe('loaded');
    // For a moment it is served again, so that the origin is not asked by everybody.
    expect(await a.cache.getOrSet('37', () => 'not again', LONG)).toBe('loaded');
    expect(await a.cache.getMany(['37', '37 b'])).toEqual(['loaded', undefined]);
    expect(await a.cache.getOrSetMany(['37 b'], () => ['many'], LONG)).toEqual(['many']);
    expect(await a.cache.set('37', 'new', LONG)).toBe(false);
    const report = a.app.get(HealthRegistry, { strict: false }).reports();
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({ cache: { status: 'degraded', coherent: false } });
    client.disconnect();
  });

  it('38: while Redis is frozen each call takes its deadline at most, soon none, and it is asked again after', async () => {
    const a = await open();
    await a.cache.set('38', 'value', LONG);
    server.freeze();
    try {
      for (let call = 0; call < 5; call++) {
        const [value, ms] = await timed(a.cache.get(`38 ${call}`));
        expect([value, ms < 600]).toEqual([undefined, true]);
      }
      await becomes(() => a.redis.backend.choose('read') === 'memory');
      const [value, ms] = await timed(a.cache.getOrSet('38 load', () => 'loaded', LONG));
      expect([value, ms < 90]).toEqual(['loaded', true]);
    } finally {
      server.thaw();
    }
    const thawedAt = performance.now();
    await becomes(() => a.redis.backend.current === 'redis');
    expect(performance.now() - thawedAt).toBeLessThan(2_500);
    await becomes(async () => (await a.cache.get('38')) === 'value');
  });

  it('39: what was deleted while Redis was away is served by nobody who knows, and is gone when it is back', async () => {
    await server.stop();
    server = await RedisServer.start({ appendonly: true, args: ['--appendfsync', 'always'] });
    const a = await open();
    for (const key of ['39', '39 tag', '39 all']) await a.cache.set(key, 'OLD', { ...LONG, tags: [key] });
    await server.kill();
    await becomes(() => a.redis.backend.current === 'memory');
    expect(await a.cache.delete('39')).toBe(false);
    await a.cache.invalidateTags('39 tag');
    expect(a.cache.stats().pendingInvalidations).toBe(2);
    await server.restart();
    expect(await server.command('EXISTS', wireOf('39').entry)).toBe(1);
    for (
      const until = performance.now() + 5_000;
      a.cache.stats().pendingInvalidations > 0 && performance.now() < until;
    ) {
      expect(await Promise.all([a.cache.get('39'), a.cache.get('39 tag')])).toEqual([undefined, undefined]);
      await sleep(5);
    }
    await becomes(() => a.cache.stats().pendingInvalidations === 0);
    expect(await server.command('EXISTS', wireOf('39').entry)).toBe(0);
    expect(await a.cache.getMany(['39', '39 tag'])).toEqual([undefined, undefined]);
    await becomes(() => isCoherent(a));
    await becomes(async () => (await a.cache.getOrSet('39 tag', () => 'NEW', { ...LONG, tags: ['39 tag'] })) === 'NEW');
  });

  it('40: when more was invalidated than is kept, everything is, with one command', async () => {
    const a = await open({}, { maxPendingInvalidations: 10 });
    for (let key = 0; key < 20; key++) await a.cache.set(`40 ${key}`, 'OLD', LONG);
    // Redis answers, and each deletion is lost on its way.
    const { commands } = a.redis.backend;
    const run = commands.run.bind(commands);
    const lost = jest.spyOn(commands, 'run').mockImplementation((script, keys, args) => {
      if (script.name !== 'cache.remove') return run(script, keys, args) as never;
      return Promise.reject(new RedisUnavailableError('timeout', 'lost', true)) as never;
    });
    const before = await server.commandStats();
    await a.cache.deleteMany(Array.from({ length: 11 }, (_, key) => `40 ${key}`));
    expect(a.cache.stats().pendingInvalidations).toBe(1);
    expect(await a.cache.get('40 19')).toBeUndefined();
    await becomes(() => a.cache.stats().pendingInvalidations === 0);
    const after = await server.commandStats();
    expect(after['evalsha']!.calls - before['evalsha']!.calls).toBe(1);
    lost.mockRestore();
    expect(await a.cache.getMany(['40 0', '40 19'])).toEqual([undefined, undefined]);
  });

  describe('an invalidation that Redis was not told of', () => {
    it.each([
      ['a tag', ({ cache }: CacheNode) => cache.invalidateTags('lost')],
      ['everything', ({ cache }: CacheNode) => cache.clear()],
      ['a key', ({ cache }: CacheNode) => cache.delete('lost')],
    ])('keeps what this process has from being served, whatever it writes meanwhile: %s', async (_what, invalidate) => {
      const a = await open();
      const options = { ...LONG, tags: ['lost'] };
      await a.cache.set('lost', 'OLD', options);
      await becomes(async () => (await a.cache.get('lost')) === 'OLD' && a.cache.peek('lost') !== undefined);
      const { commands } = a.redis.backend;
      const run = commands.run.bind(commands);
      jest.spyOn(commands, 'run').mockImplementation((script, keys, args) => {
        if (script.name !== 'cache.remove' && script.name !== 'cache.bump') return run(script, keys, args) as never;
        return Promise.reject(new RedisUnavailableError('timeout', 'lost', true)) as never;
      });
      await invalidate(a);
      expect([a.cache.peek('lost'), await a.cache.get('lost')]).toEqual([undefined, undefined]);
      await a.cache.set('other', 'NEW', options); // asks for the versions of the tag and of everything
      await sleep(10);
      expect([a.cache.peek('lost'), await a.cache.get('lost')]).toEqual([undefined, undefined]);
      expect(await a.cache.getOrSet('lost', () => 'LOADED', options)).toBe('LOADED');
    });
  });

  it('39: what somebody else loaded meanwhile is not kept while a deletion is pending', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    let end = (_value: string): void => undefined;
    const elsewhere = b.cache.getOrSet('39 wait', () => new Promise<string>((resolve) => (end = resolve)), LONG);
    await becomes(async () => (await server.command('EXISTS', wireOf('39 wait').lease)) === 1);
    const waiting = a.cache.getOrSet('39 wait', () => 'not loaded here', LONG);
    await sleep(20);
    const { commands } = a.redis.backend;
    const run = commands.run.bind(commands);
    jest.spyOn(commands, 'run').mockImplementation((script, keys, args) => {
      if (script.name !== 'cache.remove') return run(script, keys, args) as never;
      return Promise.reject(new RedisUnavailableError('timeout', 'lost', true)) as never;
    });
    await a.cache.delete('39 wait');
    end('OLD');
    await Promise.all([elsewhere, waiting]);
    expect([a.cache.peek('39 wait'), await a.cache.get('39 wait')]).toEqual([undefined, undefined]);
  });

  it.each([
    ['bytes of nobody', (name: string) => server.command('SET', name, 'x', 'PX', 60_000)],
    ['nothing', (name: string) => server.command('SET', name, '', 'PX', 60_000)],
    ['a list', (name: string) => server.command('RPUSH', name, 'x')],
    ['a newer layout', (name: string) => server.command('SETRANGE', name, 1, '\x02')],
    ['a codec that nobody has', (name: string) => server.command('SETRANGE', name, 2, '\x63')],
    ['half a value', (name: string) => server.command('EVAL', HALF, 1, name)],
  ])('41: %s at a key is a miss, and makes place for the next load', async (_what, damage) => {
    const a = await open();
    const { entry } = wireOf('41');
    const warned = logged.length;
    await a.cache.set('41', { some: 'value' }, LONG);
    if (damage.toString().includes('RPUSH')) await server.command('DEL', entry);
    await damage(entry);
    await becomes(() => a.cache.peek('41') === undefined);
    expect([await a.cache.get('41'), await a.cache.getMany(['41'])]).toEqual([undefined, [undefined]]);
    expect(await a.cache.expire('41')).toBe(false);
    expect(await a.cache.fetch('41', () => 'NEW', LONG)).toMatchObject({ value: 'NEW', stored: true });
    expect(await a.cache.get('41')).toBe('NEW');
    expect(await a.cache.delete('41')).toBe(true);
    expect(logged.slice(warned)).toEqual([]);
  });
  const HALF = `local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], string.sub(v, 1, #v / 2), 'PX', 60000)`;

  it('42: a full Redis costs nobody the value, and is told of', async () => {
    const a = await open();
    await a.cache.set('42 there', 'OLD', LONG);
    await server.command('CONFIG', 'SET', 'maxmemory', 1);
    expect(await a.cache.fetch('42', () => 'loaded', LONG)).toMatchObject({ value: 'loaded', stored: false });
    expect(await a.cache.set('42 there', 'NEW', LONG)).toBe(false);
    expect(await a.cache.get('42 there')).toBeUndefined();
    await server.command('CONFIG', 'SET', 'maxmemory', 0);
    await becomes(() => a.cache.stats().pendingInvalidations === 0);
    await becomes(
      async () => (await a.cache.set('42 there', 'NEW', LONG)) && (await a.cache.get('42 there')) === 'NEW',
    );
  });

  it('42: a Redis that has become read-only costs nobody the value', async () => {
    const a = await open();
    await a.cache.set('42', 'there', LONG);
    await server.command('REPLICAOF', '127.0.0.1', '1');
    try {
      expect(await a.cache.fetch('42 ro', () => 'loaded', LONG)).toMatchObject({ value: 'loaded', stored: false });
      expect(await a.cache.delete('42')).toBe(false);
      expect(await a.cache.get('42')).toBeUndefined();
    } finally {
      await server.command('REPLICAOF', 'NO', 'ONE');
    }
    await becomes(() => a.cache.stats().pendingInvalidations === 0);
    expect(await server.command('EXISTS', wireOf('42').entry)).toBe(0);
  });

  it('43: scripts that Redis has forgotten are sent again', async () => {
    const a = await open();
    const warned = logged.length;
    await a.cache.getOrSet('43', () => 1, { ...LONG, tags: ['43'] });
    await server.command('SCRIPT', 'FLUSH');
    expect(await a.cache.fetch('43 b', () => 2, { ...LONG, tags: ['43'] })).toMatchObject({ value: 2, stored: true });
    for (const work of [
      () => a.cache.delete('43'),
      () => a.cache.invalidateTags('43'),
      () => a.cache.expire('43 b'),
      () => a.cache.clear(),
    ]) {
      await server.command('SCRIPT', 'FLUSH');
      await work();
    }
    expect([await a.cache.get('43 b'), logged.slice(warned)]).toEqual([undefined, []]);
  });

  // L1 is on once Redis is there: the link goes on looking for it, and needs no restart.
  it('44: an application that starts without Redis serves loads, and is coherent once it is there', async () => {
    const proxy = await FaultProxy.start({ target: server });
    await proxy.refuse();
    try {
      const a = await openNode({ url: proxy.url, ...fast }, { tracking: 'auto', outageTtl: 0 }, false);
      opened.push(a);
      expect(await a.cache.getOrSet('44', () => 'loaded', LONG)).toBe('loaded');
      expect(await a.cache.set('44', 'lost', LONG)).toBe(false);
      expect(a.cache.stats()).toMatchObject({ pendingInvalidations: 1, near: { coherent: false } });
      await proxy.pass();
      await becomes(() => isCoherent(a));
      await becomes(() => a.cache.stats().pendingInvalidations === 0);
      await becomes(() => a.cache.set('44', 'NEW', LONG));
      await becomes(async () => (await a.cache.get('44')) === 'NEW' && a.cache.peek('44') !== undefined);
    } finally {
      await proxy.stop();
    }
  });

  it('45: an application that ends closes what is its own, and leaves alone what is not', async () => {
    const client = new Redis(server.url);
    const before = String(await server.command('CLIENT', 'LIST'))
      .trim()
      .split('\n').length;
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
    const timersBefore = timers();
    const a = await openNode({ url: undefined as never, client, ...fast });
    await a.cache.getOrSet('45', () => 1, LONG);
    expect(
      String(await server.command('CLIENT', 'LIST'))
        .trim()
        .split('\n').length,
    ).toBeGreaterThan(before);
    await a.close();
    await becomes(
      async () =>
        String(await server.command('CLIENT', 'LIST'))
          .trim()
          .split('\n').length === before,
    );
    expect([client.status, await client.ping()]).toEqual(['ready', 'PONG']);
    await becomes(() => timers() <= timersBefore);
    client.disconnect();
  });

  it('45: what was invalidated while Redis was slow is told before the end', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    await a.cache.set('45', 'OLD', LONG);
    const { commands } = a.redis.backend;
    const failing = jest
      .spyOn(commands, 'run')
      .mockRejectedValueOnce(new RedisUnavailableError('timeout', 'lost', true));
    await a.cache.delete('45');
    expect(a.cache.stats().pendingInvalidations).toBe(1);
    failing.mockRestore();
    await a.close();
    opened.splice(opened.indexOf(a), 1);
    expect(await b.cache.get('45')).toBeUndefined();
  });
});
