import { Controller, Headers, Param, Sse, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RedisConnections } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import type { AddressInfo } from 'node:net';
import { PresenceService } from '../presence.service.js';
import { openApp, presenceModules, quietLogger, Watcher, type PresenceApp } from '../presence.testbed.js';

const soon = { within: 4_000, every: 5 };

@Controller()
class WatchController {
  constructor(private readonly presence: PresenceService) {}

  @Sse('rooms/:room')
  watch(@Param('room') room: string, @Headers('last-event-id') lastEventId?: string) {
    return this.presence.sse(room, lastEventId);
  }
}

describe('watching a room', () => {
  let server: RedisServer;
  const closes: (() => unknown)[] = [];
  beforeAll(async () => void (server = await RedisServer.start()));
  afterAll(() => server?.stop());
  afterEach(async () => {
    for (const close of closes.splice(0).reverse()) await close();
    await server.command('FLUSHALL');
  });

  async function open(): Promise<PresenceApp> {
    const app = await openApp({ url: server.url });
    closes.push(app.close);
    return app;
  }

  function watch({ presence }: PresenceApp, since?: number): Watcher {
    const watcher = new Watcher(presence, 'lobby', since);
    closes.push(() => watcher.stop());
    return watcher;
  }

  describe.each(['Express', 'Fastify'])('by server-sent events, on %s', (framework) => {
    async function serve(): Promise<{ app: INestApplication; url: string }> {
      class App {}
      const module = { module: App, imports: presenceModules({ url: server.url }, {}), controllers: [WatchController] };
      const options = { logger: quietLogger(), abortOnError: false };
      const app =
        framework === 'Fastify'
          ? await NestFactory.create(module, new FastifyAdapter(), options)
          : await NestFactory.create(module, options);
      await app.listen(0, '127.0.0.1');
      closes.push(() => app.close());
      const { port } = app.getHttpServer().address() as AddressInfo;
      return { app, url: `http://127.0.0.1:${port}/rooms/lobby` };
    }

    async function listen(url: string, lastEventId?: string) {
      const ending = new AbortController();
      closes.push(() => ending.abort());
      const headers = new globalThis.Headers(lastEventId === undefined ? [] : [['last-event-id', lastEventId]]);
      const response = await fetch(url, { headers, signal: ending.signal });
      const events: { id: string; joins: string[]; state?: true }[] = [];
      const read = async () => {
        let text = '';
        for await (const chunk of response.body!) {
          text += Buffer.from(chunk).toString();
          for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
            const fields = new Map(
              text
                .slice(0, end)
                .split('\n')
                .map((line) => line.split(/: (.*)/s, 2) as [string, string]),
            );
            text = text.slice(end + 2);
            if (!fields.has('data')) continue;
            const { joins, state } = JSON.parse(fields.get('data')!) as { joins: { userId: string }[]; state?: true };
            expect(fields.get('event')).toBe('presence');
            events.push({ id: fields.get('id')!, joins: joins.map(({ userId }) => userId), ...(state && { state }) });
          }
        }
      };
      read().catch(() => undefined); // aborted at the end
      return { events, end: () => ending.abort() };
    }

    it('case 67: who comes back three versions late gets three diffs, and then what happens', async () => {
      const { app, url } = await serve();
      const presence = app.get(PresenceService);
      await presence.join('lobby', { userId: 'first' });
      const before = await listen(url);
      await eventually(() => expect(before.events).toHaveLength(1), soon);
      expect(before.events[0]).toMatchObject({ joins: ['first'], state: true });
      before.end();
      for (const userId of ['one', 'two', 'three']) await presence.join('lobby', { userId });
      const after = await listen(url, before.events[0]!.id);
      await eventually(() => expect(after.events).toHaveLength(3), soon);
      await presence.join('lobby', { userId: 'live' });
      await eventually(() => expect(after.events).toHaveLength(4), soon);
      expect(after.events.map(({ joins }) => joins)).toEqual([['one'], ['two'], ['three'], ['live']]);
      const first = Number(before.events[0]!.id);
      expect(after.events.map(({ id }) => Number(id) - first)).toEqual([1, 2, 3, 4]);

      const lost = await listen(url, '12');
      await eventually(() => expect(lost.events).toHaveLength(1), soon);
      expect(lost.events[0]).toMatchObject({ state: true, joins: ['first', 'one', 'two', 'three', 'live'] });
      const odd = await listen(url, 'x'.repeat(50));
      await eventually(() => expect(odd.events[0]).toHaveProperty('state', true), soon);

      const startedAt = performance.now();
      await app.close(); // which waits for those who listen still
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    });
  });

  it('reads a room once for all who watch it, and stops with the last', async () => {
    const a = await open();
    const [one, two] = [watch(a), watch(a)];
    await eventually(() => expect([one.events.length, two.events.length]).toEqual([1, 1]), soon);
    expect(
      Number(((await server.command('PUBSUB', 'NUMSUB', 'roost:channel:presence:room:lobby')) as unknown[])[1]),
    ).toBe(1);
    one.stop();
    await a.presence.join('lobby', { userId: 'ann' });
    await eventually(() => expect(two.sorted).toEqual(['ann']), soon);
    expect(one.sorted).toEqual([]);
    two.stop();
    expect(a.room.views.size).toBe(0);
    await eventually(async () => {
      expect(
        Number(((await server.command('PUBSUB', 'NUMSUB', 'roost:channel:presence:room:lobby')) as unknown[])[1]),
      ).toBe(0);
    }, soon);
  });

  it('hears what was missed while its connection for messages was broken', async () => {
    const [a, b] = [await open(), await open()];
    await b.presence.join('lobby', { userId: 'zoe' });
    const watcher = watch(a);
    await eventually(() => expect(watcher.events).toHaveLength(1), soon);
    const { pubsub } = a.app.get(RedisConnections).get();
    const gaps: string[] = [];
    pubsub.onGap(({ phase }) => gaps.push(phase));
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const ann = await b.presence.join('lobby', { userId: 'ann' });
    await b.presence.join('lobby', { userId: 'ben' });
    await ann.leave();
    await eventually(() => expect(gaps).toContain('restored'), soon);
    await eventually(() => expect(watcher.sorted).toEqual(['ben', 'zoe']), soon);
    expect([watcher.joins, watcher.leaves]).toEqual([['ann', 'ben'], ['ann']]);
  });

  it('sees the same from wherever it looks, however many come and go while it begins to', async () => {
    const [a, b] = [await open(), await open()];
    const rest = Array.from({ length: 10 }, (_, i) => `user-${i + 10}`).sort();
    for (let round = 0; round < 15; round++) {
      const room = `room-${round}`;
      const watchers = [new Watcher(a.presence, room), new Watcher(b.presence, room)];
      const come = Array.from({ length: 60 }, (_, i) =>
        (i % 2 ? a : b).presence.join(room, { userId: `user-${i % 20}` }),
      );
      const members = await Promise.all(come);
      watchers.push(new Watcher(a.presence, room));
      closes.push(() => watchers.forEach((watcher) => watcher.stop()));
      await Promise.all(members.filter((_, i) => i % 20 < 10).map((member) => member.leave()));
      for (const watcher of watchers) await eventually(() => expect(watcher.sorted).toEqual(rest), soon);
      for (const watcher of watchers) {
        const numbers = watcher.events.map(({ since, version }) => [since, version]);
        for (const [index, [since]] of numbers.slice(1).entries()) expect(since).toBe(numbers[index]![1]);
      }
    }
  });
});
