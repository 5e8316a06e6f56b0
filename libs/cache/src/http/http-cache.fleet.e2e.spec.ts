import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheResponse } from './cache-response.decorator.js';
import { empty, entriesOf, loadsOf, openTestbed, type Answer, type Testbed } from './http-cache.testbed.js';

const soon = { within: 2_000, every: 2 };
/** A load balancer gives all of them the same. */
const HOST = { host: 'cars.example' };

let [runs, arrived] = [0, 0];
let gate: Promise<void> = Promise.resolve();
let failing = false;

@Controller()
class Routes {
  @Get('cars/:city')
  @CacheResponse({ ttl: '1m', tags: ['cars'] })
  async cars(@Param('city') city: string) {
    const run = ++runs;
    await gate;
    if (failing) throw new Error('broken');
    return { city, run };
  }

  @Get('cookie')
  @Header('set-cookie', 'mine=1')
  @CacheResponse()
  async cookie() {
    const run = ++runs;
    await gate;
    return { run };
  }

  @Get('impatient')
  @CacheResponse({ hardTimeout: '300ms' })
  impatient(@Res({ passthrough: true }) reply: { header(name: string, value: string): void }) {
    reply.header('x-run', String(++runs));
    return { run: runs };
  }
}

describe('@CacheResponse of two applications on one Redis', () => {
  let server: RedisServer;
  let beds: [Testbed, Testbed];

  beforeAll(async () => {
    server = await RedisServer.start();
    const open = () =>
      openTestbed({
        adapter: () => new FastifyAdapter(),
        url: server.url,
        controllers: [Routes],
        prepare: (app) => {
          app.use((_request: unknown, _response: unknown, next: () => void) => {
            arrived++;
            next();
          });
        },
      });
    beds = [await open(), await open()];
  });
  afterAll(async () => {
    await Promise.all(beds.map(({ app }) => app.close()));
    await server.stop();
  });
  beforeEach(async () => {
    [runs, arrived] = [0, 0];
    gate = Promise.resolve();
    failing = false;
    await empty(beds[0], server);
  });

  /** So many at the same time in each, which are all there before the first handler ends. */
  async function together(path: string, each: number): Promise<readonly [Answer[], Answer[]]> {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const asked = beds.map((bed) => Array.from({ length: each }, () => bed.ask(path, HOST)));
    await eventually(() => expect(arrived).toBe(2 * each), soon);
    setTimeout(open, 20);
    const [a, b] = await Promise.all(asked.map((answers) => Promise.all(answers)));
    return [a!, b!];
  }

  const statusesOf = (answers: readonly Answer[]) => answers.map(({ headers }) => headers['cache-status']!);

  it('runs the handler of a cold route once for 20 requests in each', async () => {
    const answers = (await together('/cars/delft', 20)).flat();
    expect(runs).toBe(1);
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(
      new Set(['200 {"city":"delft","run":1}']),
    );
    const statuses = statusesOf(answers);
    expect(statuses.filter((status) => status === 'roost; fwd=miss; stored')).toHaveLength(1);
    // Who waits for the other process is given what that has stored; so is who asks after a tag was made for the first time.
    expect(statuses.filter((status) => /fwd=miss; collapsed$|; hit; ttl=59$/.test(status))).toHaveLength(39);
    expect(new Set(answers.map(({ headers }) => headers.etag)).size).toBe(1);
  });

  it('gives a failure to those who wait in its process, and lets the other one try for itself', async () => {
    failing = true;
    const answers = (await together('/cars/delft', 5)).flat();
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 500));
    expect([runs, await entriesOf(server)]).toEqual([2, []]);
    failing = false;
    expect((await beds[1].ask('/cars/delft', HOST)).headers['cache-status']).toBe('roost; fwd=miss; stored');
  });

  it('lets nobody wait for a response that is not for others, in either of them', async () => {
    const answers = (await together('/cookie', 5)).flat();
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(10);
    expect([runs, await entriesOf(server)]).toEqual([10, []]);
    for (const bed of beds) {
      expect(statusesOf([await bed.ask('/cookie', HOST)])).toEqual(['roost; fwd=bypass; detail=uncacheable']);
    }
  });

  it('does not serve in one what was invalidated in the other', async () => {
    const [a, b] = beds;
    for (const bed of beds) await bed.ask('/cars/delft', HOST);
    expect((await b.ask('/cars/delft', HOST)).body).toBe('{"city":"delft","run":1}');
    await a.cache.invalidateTags('cars');
    // The news of it takes its way through the server, and no request of the other process is before it for long.
    await eventually(async () => expect((await b.ask('/cars/delft', HOST)).body).toContain('"run":2'), soon);
    expect((await a.ask('/cars/delft', HOST)).body).toContain('"run":2');
    expect(runs).toBe(2);
  });

  it.each([0, 1])(
    'sends and does not keep what was invalidated while its handler ran, by application %i',
    async (by) => {
      const [a] = beds;
      let open = () => {};
      gate = new Promise((resolve) => (open = resolve));
      const asked = a.ask('/cars/delft', HOST);
      await eventually(() => expect(runs).toBe(1), soon);
      await beds[by]!.cache.invalidateTags('cars');
      open();
      const answer = await asked;
      expect([answer.status, answer.body]).toEqual([200, '{"city":"delft","run":1}']);
      const again = await a.ask('/cars/delft', HOST);
      expect(again.body).toBe('{"city":"delft","run":2}');
      expect(statusesOf([answer, again])).toEqual(['roost; fwd=miss', 'roost; fwd=miss; stored']);
    },
  );

  it('lets one who waits be handled when the load falls to a request that was answered meanwhile', async () => {
    const [a, b] = beds;
    let release = () => {};
    const elsewhere = a.cache.fetch(keyOf('impatient'), (context) => {
      context.skip();
      return new Promise((resolve) => (release = () => resolve(undefined)));
    });
    await eventually(async () => expect(await loadsOf(server)).toHaveLength(1), soon);
    const first = b.ask('/impatient', HOST);
    // Still patient when the first is not any more.
    for (let waited = 0; waited < 3; waited++) await sleep(50);
    const second = b.ask('/impatient', HOST);
    expect(statusesOf([await first])).toEqual(['roost; fwd=miss']);
    release();
    await elsewhere;
    expect(statusesOf([await second])).toEqual(['roost; fwd=miss; stored']);
    expect(runs).toBe(2);
  });

  it('answers from its own memory without a command to Redis', async () => {
    for (const bed of beds) await bed.ask('/cars/delft', HOST);
    for (const bed of beds) await bed.ask('/cars/delft', HOST);
    const before = await commands();
    for (let round = 0; round < 50; round++) {
      for (const bed of beds) expect(statusesOf([await bed.ask('/cars/delft', HOST)])[0]).toMatch(/; hit;/);
    }
    expect(await commands()).toEqual(before);
  });

  /** All but what asks for them, and what a connection does to stay one. */
  async function commands(): Promise<Record<string, number>> {
    const stats = Object.entries(await server.commandStats());
    const counted = stats.filter(([name]) => !['info', 'ping', 'auth', 'client|setinfo'].includes(name));
    return Object.fromEntries(counted.map(([name, { calls }]) => [name, calls]));
  }

  const keyOf = (path: string) => `http:Routes.${path} GET ${HOST.host} /${path}`;
});
