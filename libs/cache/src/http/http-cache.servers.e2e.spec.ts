import { Controller, Get, Req, Version, VersioningType } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import type { FastifyInstance } from 'fastify';
import { connect } from 'node:net';
import { Observable } from 'rxjs';
import { CacheResponse } from './cache-response.decorator.js';
import { HttpCacheInterceptor } from './http-cache.interceptor.js';
import { askAndLeave, empty, entriesOf, loadsOf, openTestbed, type Testbed } from './http-cache.testbed.js';

const soon = { within: 2_000, every: 2 };
let server: RedisServer;
let runs = 0;
let gate: Promise<void> = Promise.resolve();

@Controller()
class Routes {
  @Get('count')
  @CacheResponse({ ttl: '1m' })
  count() {
    return { count: ++runs };
  }

  @Get('slow')
  @CacheResponse({ hardTimeout: '60ms' })
  async slow() {
    const run = ++runs;
    if (run === 1) await gate;
    return { run };
  }

  /** Nest sends nothing to a client that has left an Observable. */
  @Get('observed')
  @CacheResponse({ hardTimeout: '60ms' })
  observed() {
    runs++;
    return new Observable<object>((observer) => void gate.then(() => observer.next({}), undefined));
  }

  @Get('version')
  @Version('1')
  @CacheResponse()
  first() {
    return 'one';
  }

  @Get('version')
  @Version('2')
  @CacheResponse()
  second() {
    return 'two';
  }

  @Get('plain')
  plain(@Req() request: { headers: Record<string, string> }) {
    return { run: ++runs, conditional: request.headers['if-none-match'] ?? null };
  }
}

const adapters = [
  ['Fastify', () => new FastifyAdapter()],
  ['Express', () => new ExpressAdapter()],
] as const;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe.each(adapters)('@CacheResponse on a server with a life of its own: %s', (_name, adapter) => {
  let bed: Testbed;

  beforeAll(async () => {
    bed = await openTestbed({
      adapter,
      url: server.url,
      controllers: [Routes],
      providers: [{ provide: APP_INTERCEPTOR, useClass: HttpCacheInterceptor }],
      prepare: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    });
  });
  afterAll(() => bed.app.close());
  beforeEach(async () => {
    runs = 0;
    gate = Promise.resolve();
    await empty(bed, server);
  });

  it('keeps apart versions that stand in a header', async () => {
    const body = async (version: string) => (await bed.ask('/version', { 'x-version': version })).body;
    expect([await body('1'), await body('2'), await body('1')]).toEqual(['one', 'two', 'one']);
    expect(await entriesOf(server)).toHaveLength(2);
  });

  it('serves routes without the decorator by a global interceptor, and does not cache twice', async () => {
    const first = await bed.ask('/plain');
    expect((await bed.ask('/plain')).body).toBe(first.body);
    await bed.ask('/count');
    expect(await entriesOf(server)).toHaveLength(2);
  });

  it('hides conditions from the handler, whose whole response is kept', async () => {
    const first = await bed.ask('/plain', { 'if-none-match': '"a"' });
    expect(JSON.parse(first.body)).toEqual({ run: 1, conditional: null });
  });

  it('does not wait for a handler that takes too long, nor keep what it answers then', async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const first = bed.ask('/slow');
    await eventually(() => expect(runs).toBe(1), soon);
    const second = await bed.ask('/slow');
    expect([second.body, second.headers['cache-status']]).toEqual(['{"run":2}', 'roost; fwd=miss']);
    open();
    expect((await first).body).toBe('{"run":1}');
    expect(await entriesOf(server)).toHaveLength(0);
  });

  it('56: is not kept waiting by a response that never comes', async () => {
    gate = new Promise(() => {});
    await askAndLeave(bed.port, '/observed');
    await eventually(() => expect(runs).toBe(1), soon);
    await eventually(async () => expect(await loadsOf(server)).toEqual([]), soon);
  });

  it('answers requests that come by one connection in their order', async () => {
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const socket = connect(bed.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.write(request('/count') + request('/count') + request('/count') + request('/plain'));
    await eventually(() => expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(4), soon);
    await eventually(() => expect(text.endsWith('"conditional":null}')).toBe(true), soon);
    const counts = text.match(/\{"count":\d\}/g) ?? [];
    expect([counts.length, new Set(counts).size, runs]).toEqual([3, 1, 2]);
    socket.destroy();
  });
});

describe('@CacheResponse among the hooks of Fastify', () => {
  let proxy: FaultProxy;
  let bed: Testbed;
  const seen: string[] = [];

  beforeAll(async () => {
    proxy = await FaultProxy.start({ target: server });
    bed = await openTestbed({
      adapter: () => new FastifyAdapter(),
      url: proxy.url,
      controllers: [Routes],
      prepare: (app) => {
        app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' });
        const server = (app as NestFastifyApplication).getHttpAdapter().getInstance() as unknown as FastifyInstance;
        server.addHook('onRequest', (_request, reply, done) => {
          reply.header('x-set-before', 'yes');
          done();
        });
        server.addHook('onSend', async (_request, reply, payload) => {
          seen.push('onSend');
          await new Promise((resolve) => setImmediate(resolve));
          reply.header('x-set-after', 'yes');
          return payload;
        });
        server.addHook('onResponse', (_request, reply, done) => {
          seen.push(`onResponse ${reply.statusCode}`);
          done();
        });
      },
    });
  });
  afterAll(async () => {
    await bed.app.close();
    await proxy.stop();
  });

  it('lets them see hits as they see all responses, and keeps what they have set', async () => {
    runs = 0;
    for (const status of ['roost; fwd=miss; stored', 'roost; hit; ttl=59']) {
      const answer = await bed.ask('/count');
      expect([answer.body, answer.headers['cache-status']]).toEqual(['{"count":1}', status]);
      expect([answer.headers['x-set-before'], answer.headers['x-set-after']]).toEqual(['yes', 'yes']);
    }
    const { headers } = await bed.ask('/count');
    expect((await bed.ask('/count', { 'if-none-match': headers.etag! })).status).toBe(304);
    await eventually(() => expect(seen.filter((each) => each.startsWith('onResponse'))).toHaveLength(4), soon);
    expect(seen.at(-1)).toBe('onResponse 304');
  });

  it('lets Fastify answer once while the response is being stored', async () => {
    await bed.cache.clear();
    await proxy.delay(10);
    seen.length = 0;
    expect((await bed.ask('/count')).headers['cache-status']).toBe('roost; fwd=miss; stored');
    await proxy.pass();
    await eventually(() => expect(seen).toEqual(['onSend', 'onResponse 200']), soon);
  });
});
