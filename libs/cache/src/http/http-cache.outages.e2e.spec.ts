import { Controller, Get, Param } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheResponse } from './cache-response.decorator.js';
import { openTestbed, type Answer, type Testbed } from './http-cache.testbed.js';

const HANDLER_MS = 30;
/** The deadline of a command, and a machine that has other things to do. */
const IN_TIME_MS = HANDLER_MS + 400;

let runs = 0;

@Controller()
class Routes {
  @Get('cars/:city')
  @CacheResponse({ ttl: '1m', grace: '1m', tags: ['cars'] })
  async cars(@Param('city') city: string) {
    const run = ++runs;
    await sleep(HANDLER_MS);
    return { city, run };
  }
}

describe('@CacheResponse without Redis', () => {
  let server: RedisServer;
  let bed: Testbed;

  beforeEach(async () => {
    runs = 0;
    server = await RedisServer.start();
    bed = await openTestbed({ adapter: () => new FastifyAdapter(), url: server.url, controllers: [Routes] });
  });
  afterEach(async () => {
    if (server.running) server.thaw();
    await bed.app.close();
    await server.stop();
  });

  async function timed(path: string): Promise<Answer & { readonly tookMs: number }> {
    const beganAt = performance.now();
    const answer = await bed.ask(path);
    return { ...answer, tookMs: performance.now() - beganAt };
  }

  it.each([
    ['killed', () => server.kill()],
    ['frozen', () => Promise.resolve(server.freeze())],
  ] as const)('answers every request in time, without an error, while it is %s', async (_how, lose) => {
    for (const city of ['known', 'known']) await bed.ask(`/cars/${city}`);
    await lose();
    const answers: (Answer & { readonly tookMs: number })[] = [];
    for (let round = 0; round < 8; round++) {
      const path = `/cars/new-${round}`;
      answers.push(...(await Promise.all(['/cars/known', path, path].map(timed))), await timed(path));
    }
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(IN_TIME_MS);
    const statuses = new Set(answers.map(({ headers }) => headers['cache-status']!.replace(/ttl=\d+$/, 'ttl=n')));
    // What was not stored never says so. A frozen Redis is noticed after a moment, in which near values are served.
    expect([...statuses].filter((status) => status.includes('stored'))).toEqual([]);
    expect(statuses).toContain('roost; fwd=miss');
    expect(statuses).toContain('roost; fwd=miss; collapsed');
    expect(statuses).toContain('roost; hit; ttl=0; detail=outage');
  });

  it('serves nothing that was invalidated while it was away', async () => {
    await bed.ask('/cars/delft');
    server.freeze();
    await eventually(async () => expect((await bed.ask('/cars/delft')).body).toContain('"run":2'), {
      within: 5_000,
      every: 20,
    });
    await bed.cache.invalidateTags('cars');
    expect((await bed.ask('/cars/delft')).body).toContain('"run":3');
    server.thaw();
    await eventually(
      async () => expect((await bed.ask('/cars/delft')).headers['cache-status']).toMatch(/^roost; hit; ttl=[1-9]/),
      { within: 5_000, every: 20 },
    );
    expect(runs).toBeGreaterThan(3);
  });
});
