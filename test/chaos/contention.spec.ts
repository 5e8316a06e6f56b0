import { RedisServer, ServiceProcess } from '@roost/testing';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PROCESSES = 4;
const REQUESTS = 1_000;
const LIMIT = 100; // of the strictest of three tiers

interface Contended {
  readonly admitted: number;
  readonly asked: number;
  /** Calls that ended without telling whether they were charged. */
  readonly unknown: number;
}

/** Four processes that ask the same limits at once. */
describe('contention', () => {
  let server: RedisServer;
  let contenders: ServiceProcess[];

  beforeAll(async () => {
    if (!existsSync('libs/throttle/dist/index.js')) throw new Error('run "npm run build" first');
    server = await RedisServer.start({ appendonly: true, args: ['--appendfsync', 'always'] });
    const start = () =>
      ServiceProcess.start({
        entry: 'test/chaos/contender.mjs',
        env: { REDIS_URL: server.url, NODE_ENV: 'production' },
      });
    contenders = await Promise.all(Array.from({ length: PROCESSES }, start));
  });
  afterAll(async () => {
    await Promise.all(contenders.map((each) => each.stop()));
    await server.stop();
  });

  async function call<T>(contender: ServiceProcess, verb: string, query: Record<string, string>): Promise<T> {
    const response = await contender.fetch(`/${verb}?${new URLSearchParams(query).toString()}`);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return JSON.parse(text) as T;
  }

  async function contend(
    policy: string,
    subject: string,
    { requests = REQUESTS, spreadMs = 0 } = {},
  ): Promise<Contended> {
    const query = { policy, subject, requests: String(requests / PROCESSES), spreadMs: String(spreadMs) };
    const all = await Promise.all(contenders.map((each) => call<Contended>(each, 'contend', query)));
    const sum = (name: keyof Contended) => all.reduce((total, each) => total + each[name], 0);
    return { admitted: sum('admitted'), asked: sum('asked'), unknown: sum('unknown') };
  }

  const charged = (policy: string, subject: string) => call<number[]>(contenders[0]!, 'charged', { policy, subject });

  it('36: 1 000 requests at once in 4 processes: exactly the limit passes, and each of 3 tiers is charged for it', async () => {
    expect(await contend('tiers', 'all')).toEqual({ admitted: LIMIT, asked: REQUESTS, unknown: 0 });
    expect(await charged('tiers', 'all')).toEqual([LIMIT, LIMIT, LIMIT]);
  });

  it.each([
    ['ends in order', 0],
    ['is killed', 0],
    ['is killed in steady traffic', 1_500],
  ])(
    '36: while a Redis with AOF %s and returns: never more, the tiers in step, and nothing lost but what was unknown',
    async (end, spreadMs) => {
      expect(await contend('tiers', end, { requests: 40 })).toEqual({ admitted: 40, asked: 40, unknown: 0 });

      // Either all requests wait in front of a Redis that ends as soon as it may go on, or it ends while they come.
      if (spreadMs === 0) server.freeze();
      const contended = contend('tiers', end, { spreadMs });
      await sleep(50);
      server.thaw();
      if (end !== 'ends in order') await server.kill();
      await server.restart();
      const { admitted, asked, unknown } = await contended;

      const missing = LIMIT - 40 - admitted;
      expect(asked).toBe(REQUESTS);
      expect(await charged('tiers', end)).toEqual([LIMIT, LIMIT, LIMIT]); // all asked again until the limit answered
      expect(missing).toBeGreaterThanOrEqual(0);
      expect(missing).toBeLessThanOrEqual(unknown); // charged without an admission: the answer was lost
    },
  );

  it('36: leases of 4 processes never let more than the limit pass', async () => {
    const { admitted, asked } = await contend('leased', 'all');
    expect(asked).toBe(REQUESTS);
    expect(admitted).toBeLessThanOrEqual(LIMIT);
    expect(admitted).toBeGreaterThan(0);
    expect((await charged('leased', 'all'))[0]).toBeGreaterThanOrEqual(admitted);
  });
});
