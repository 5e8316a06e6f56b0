import { ConsoleLogger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Backend, PubSub, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { SharedOrders } from './shared-orders.js';
import type { Orders } from './rollout.orders.js';

const KEY = 'roost:{rate}:rate:rollout';

describe('SharedOrders', () => {
  let server: RedisServer;
  let app: TestingModule;
  const started: SharedOrders[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url: server.url })] })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    await app.init();
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(() => {
    for (const shared of started.splice(0)) shared.stop();
    app.get(Backend).force(null);
  });
  afterAll(async () => {
    await app.close();
    await server.stop();
  });

  async function follow(pollMs = 60_000) {
    const problems: string[] = [];
    let orders: Orders = {};
    const shared = new SharedOrders(app.get(Backend), app.get(PubSub), {
      enabled: true,
      pollMs,
      onOrders: (now) => (orders = now),
      onProblem: (problem) => problems.push(problem),
    });
    shared.start();
    started.push(shared);
    await shared.sync();
    return { shared, problems, seen: () => orders };
  }

  it('looks by itself when nobody announced anything, and keeps the orders from expiring', async () => {
    const { seen } = await follow(20);
    await server.command('SET', KEY, JSON.stringify({ version: 1, orders: { paused: true } }), 'PX', '60000');
    await eventually(() => expect(seen()).toEqual({ paused: true }), { within: 1_000 });
    expect(Number(await server.command('PTTL', KEY))).toBeGreaterThan(29 * 86_400_000);
  });

  it('hears announcements at once', async () => {
    const [one, two] = [await follow(), await follow()];
    expect(await one.shared.order({ paused: true })).toBe(true);
    await eventually(() => expect(two.seen()).toEqual({ paused: true }), { within: 200, every: 5 });
  });

  it('writes what is ordered while it writes, in order', async () => {
    const { shared, seen } = await follow();
    await Promise.all([1, 2, 3, 4].map((canary) => shared.order({ canary, [`mode:${canary}`]: 'shadow' })));
    const expected = { canary: 4, 'mode:1': 'shadow', 'mode:2': 'shadow', 'mode:3': 'shadow', 'mode:4': 'shadow' };
    expect(seen()).toEqual(expected);
    expect(JSON.parse(String(await server.command('GET', KEY))).orders).toEqual(expected);
  });

  it('forgets what waited when it begins anew', async () => {
    const { shared, seen } = await follow();
    await shared.order({ 'mode:a': 'shadow' });
    app.get(Backend).force('memory');
    await shared.order({ paused: true });
    expect(await shared.order({}, 'anew')).toBe(false);
    await shared.order({ 'mode:b': 'shadow' });
    expect(seen()).toEqual({ 'mode:b': 'shadow' });
    app.get(Backend).force(null);
    await eventually(
      async () => {
        expect(JSON.parse(String(await server.command('GET', KEY))).orders).toEqual({ 'mode:b': 'shadow' });
      },
      { within: 1_000 },
    );
  });

  it('puts back what Redis lost, and nothing over what somebody ordered since', async () => {
    const one = await follow();
    await one.shared.order({ paused: true });
    await server.command('FLUSHALL');
    await one.shared.sync();
    expect(JSON.parse(String(await server.command('GET', KEY))).orders).toEqual({ paused: true });
    await one.shared.order({}, 'anew');
    const two = await follow();
    expect(two.seen()).toEqual({});
  });

  it('tells versions apart by the time of Redis, also after a loss', async () => {
    const { shared } = await follow();
    const version = async () => JSON.parse(String(await server.command('GET', KEY))).version as number;
    await shared.order({ paused: true });
    const first = await version();
    await shared.order({ paused: null });
    expect(await version()).toBeGreaterThan(first);
    expect(Math.abs(first - Date.now())).toBeLessThan(5_000);
  });
});
