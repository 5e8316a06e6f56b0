import {
  Controller,
  Get,
  Injectable,
  Req,
  Res,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { INestApplication, LoggerService } from '@nestjs/common';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket, WebSocketServer } from 'ws';
import { RateLimit } from '../policies/rate-limit.decorator.js';
import { ThrottleConfig } from '../throttle.config.js';
import { ThrottleModule } from '../throttle.module.js';
import type { ThrottleOptions } from '../throttle.options.js';
import { clientAddress } from './client-address.js';
import { ClientAddresses } from './client-address.resolver.js';

/** Sends the head of the answer before any limit is asked. */
@Injectable()
class TooEarly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const response = context.switchToHttp().getResponse<{ raw?: { writeHead(status: number): void } }>();
    (response.raw ?? (response as { writeHead(status: number): void })).writeHead(200);
    return true;
  }
}

@Controller()
class SeenController {
  constructor(private readonly addresses: ClientAddresses) {}

  @Get('who')
  who(@Req() request: { ip: string; ips?: string[] }) {
    // The line of the README of @nestjs/throttler 6.7, for those behind a proxy.
    const recipe = request.ips?.length ? request.ips[0] : request.ip;
    return { ours: this.addresses.of(request), exactly: this.addresses.exactly(request), recipe };
  }

  @Get('once')
  @RateLimit({ limit: 1, window: '1h' })
  once() {
    return 'ok';
  }

  @Get('wide')
  @RateLimit([
    { name: 'site', limit: 2, window: '1h', key: 'ip' },
    { name: 'provider', limit: 3, window: '1h', key: (_context, address) => clientAddress(address, { prefix: 48 }) },
  ])
  wide() {
    return 'ok';
  }
}

@Controller('early')
@UseGuards(TooEarly)
class EarlyController {
  @Get()
  @RateLimit({ limit: 1, window: '1h' })
  early(@Res() response: { raw?: { end(body: string): void }; end(body: string): void }) {
    (response.raw ?? response).end('ok');
  }
}

type Answer = { status: number; headers: IncomingHttpHeaders; body: string };

const express = (trusted?: unknown) => () => {
  const adapter = new ExpressAdapter();
  if (trusted !== undefined) (adapter.getInstance() as NestExpressApplication).set('trust proxy', trusted);
  return adapter;
};
const fastify = (trustProxy?: boolean | number | string[]) => () =>
  new FastifyAdapter({ trustProxy: (trustProxy ?? false) as boolean }); // a number is no longer typed, and still taken

describe.each([
  ['express', { plain: express(), all: express(true), local: express(['127.0.0.1']), hop: express(1) }],
  ['fastify', { plain: fastify(), all: fastify(true), local: fastify(['127.0.0.1']), hop: fastify(1) }],
] as const)('the client of a request on %s', (name, adapters) => {
  const apps: INestApplication[] = [];
  let warnings: { problem?: string; message: string }[] = [];

  const logger: LoggerService = {
    log: () => undefined,
    error: () => undefined,
    warn: (message: string, details: { problem?: string }) => {
      if (details.problem !== undefined) warnings.push({ problem: details.problem, message });
    },
  };

  beforeEach(() => (warnings = []));
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });

  async function open(options: ThrottleOptions, adapter: () => ExpressAdapter | FastifyAdapter = adapters.plain) {
    const testing = await Test.createTestingModule({
      imports: [RedisModule.forRoot({}), ThrottleModule.forRoot(options)],
      controllers: [SeenController, EarlyController],
    })
      .setLogger(logger)
      .compile();
    const app = testing.createNestApplication(adapter(), { logger });
    app.enableCors({ origin: true, exposedHeaders: ['X-Total'] });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return (path: string, headers: Record<string, string | string[]> = {}) =>
      new Promise<Answer>((resolve, reject) => {
        httpRequest({ port, host: '127.0.0.1', path: `/${path}`, headers, agent: false }, (response) => {
          text(response).then(
            (body) => resolve({ status: response.statusCode!, headers: response.headers, body }),
            reject,
          );
        })
          .on('error', reject)
          .end();
      });
  }

  const who = async (get: Awaited<ReturnType<typeof open>>, headers: Record<string, string | string[]>) =>
    JSON.parse((await get('who', headers)).body) as { ours: string; exactly: string; recipe: string };

  const xff = (value: string | string[]) => ({ 'X-Forwarded-For': value });

  it.each([
    [0, '127.0.0.1'],
    [1, '1.2.3.4'],
    [2, '9.9.9.9'],
  ])('65: %d hops', async (hops, client) => {
    for (const adapter of Object.values(adapters)) {
      const get = await open({ proxy: { hops } }, adapter);
      expect((await who(get, xff('9.9.9.9, 1.2.3.4'))).ours).toBe(client);
      expect((await who(get, xff(['9.9.9.9', '1.2.3.4']))).ours).toBe(client);
    }
    expect(warnings).toEqual([]);
  });

  it('66: a peer that is not in the networks is taken for itself', async () => {
    const [near, far] = [
      await open({ proxy: { cidrs: ['loopback'] } }),
      await open({ proxy: { cidrs: ['10.0.0.0/8'] } }),
    ];
    expect((await who(near, xff('9.9.9.9, 1.2.3.4'))).ours).toBe('1.2.3.4');
    expect(warnings).toEqual([]);
    expect((await who(far, xff('9.9.9.9, 1.2.3.4'))).ours).toBe('127.0.0.1');
    expect((await who(far, xff('9.9.9.9, 1.2.3.4'))).ours).toBe('127.0.0.1');
    expect(warnings.map(({ problem }) => problem)).toEqual(['unexpected-peer']);
    expect(warnings[0]!.message).toMatch(/proxy\.cidrs/);
  });

  it('67: an adapter that trusts everybody lets clients name themselves, and is warned of once', async () => {
    const get = await open({}, adapters.all);
    for (const client of ['6.6.6.1', '6.6.6.2', '6.6.6.3']) {
      expect((await get('once', xff(`${client}, 1.2.3.4`))).status).toBe(200);
    }
    expect(warnings.map(({ problem }) => problem)).toEqual(['trusts-everybody']);
    expect(warnings[0]!.message).toMatch(/trust proxy: true.*Set `proxy` of ThrottleModule/);
  });

  it('67: with `proxy`, what the adapter trusts does not matter', async () => {
    const get = await open({ proxy: { hops: 1 } }, adapters.all);
    const statuses: number[] = [];
    for (const client of ['6.6.6.1', '6.6.6.2', '6.6.6.3']) {
      statuses.push((await get('once', xff(`${client}, 1.2.3.4`))).status);
    }
    expect(statuses).toEqual([200, 429, 429]);
    expect((await get('once', xff('6.6.6.1, 1.2.3.5'))).status).toBe(200);
    expect(warnings).toEqual([]);
  });

  it('67: an adapter with trusted proxies is not suspected', async () => {
    const get = await open({}, adapters.local);
    expect((await who(get, xff('1.2.3.4'))).ours).toBe('1.2.3.4');
    expect(warnings).toEqual([]);
  });

  it('68: junk is answered as any other request', async () => {
    const get = await open({ proxy: { hops: 2 } });
    for (const value of ['unknown', '_hidden', '"', ',,', 'x'.repeat(8_000), '"[2001:db8::1:443', '1.2.3.4:70 000']) {
      expect((await who(get, xff(value))).ours).toBe('127.0.0.1');
      expect((await get('who', { Forwarded: value })).status).toBe(200);
    }
    expect((await who(get, xff('"[2001:db8::1]:443", 1.2.3.4:5678'))).ours).toBe('2001:db8::/64');
    expect((await who(get, xff('"[2001:db8::1]:443", 1.2.3.4:5678'))).exactly).toBe('2001:db8::1');
    expect((await who(get, { Forwarded: 'for="[2001:db8:1::1]:443";proto=https, for=1.2.3.4' })).ours).toBe(
      '2001:db8:1::/64',
    );
  });

  it('69: the recipe of throttler gives the proxy on Fastify, and ours the client', async () => {
    const readme = readFileSync(createRequire(__filename).resolve('@nestjs/throttler/README.md'), 'utf8');
    expect(readme).toContain('req.ips.length > 0 ? req.ips[0] : req.ip');
    for (const proxy of [undefined, { cidrs: ['loopback'] }]) {
      const get = await open(proxy === undefined ? {} : { proxy }, adapters.local);
      const { ours, recipe } = await who(get, xff('1.2.3.4'));
      expect([ours, recipe]).toEqual(['1.2.3.4', name === 'fastify' ? '127.0.0.1' : '1.2.3.4']);
    }
  });

  it('warns once when X-Forwarded-For comes and nobody is trusted', async () => {
    const get = await open({});
    expect((await who(get, {})).ours).toBe('127.0.0.1');
    expect(warnings).toEqual([]);
    for (const value of ['1.2.3.4', '1.2.3.5']) expect((await who(get, xff(value))).ours).toBe('127.0.0.1');
    expect(warnings.map(({ problem }) => problem)).toEqual(['trusts-nobody']);
    expect(JSON.stringify(warnings)).not.toMatch(/1\.2\.3|127\.0\.0\.1/);
  });

  it('warns of a number as trustProxy on Fastify, where it trusts nobody', async () => {
    const get = await open({}, adapters.hop);
    expect((await who(get, xff('1.2.3.4'))).ours).toBe(name === 'fastify' ? '127.0.0.1' : '1.2.3.4');
    expect(warnings.map(({ problem }) => problem)).toEqual(name === 'fastify' ? ['fastify-hops'] : []);
  });

  it('warns when clients that differ by X-Forwarded-For are all one private address', async () => {
    const get = await open({ proxy: { hops: 1 } });
    for (let client = 1; client <= 25; client++) await get('who', xff(`1.2.3.${client}, 10.0.0.9`));
    expect(warnings.map(({ problem }) => problem)).toEqual(['one-address']);
  });

  it('does not warn when they are told apart, or one client is busy', async () => {
    const get = await open({ proxy: { hops: 1 } });
    for (let client = 1; client <= 25; client++) await get('who', xff(`10.0.0.${client}`));
    for (let times = 1; times <= 25; times++) await get('who', xff('10.0.0.9'));
    for (let client = 1; client <= 25; client++) await get('who', xff(`6.6.6.${client}, 1.2.3.4`));
    expect(warnings).toEqual([]);
  });

  it('warns when both headers come and the option does not say which', async () => {
    const both = { ...xff('1.2.3.4'), Forwarded: 'for=1.2.3.4' };
    await who(await open({ proxy: { hops: 1, header: 'forwarded' } }), both);
    expect(warnings).toEqual([]);
    await who(await open({ proxy: { hops: 1 } }), both);
    expect(warnings.map(({ problem }) => problem)).toEqual(['two-headers']);
  });

  it('61: counts IPv6 by its /64, or as `ipv6Prefix` says', async () => {
    const proxy = { hops: 1 };
    const statuses = async (options: ThrottleOptions, addresses: string[]) => {
      const get = await open(options);
      const found: number[] = [];
      for (const address of addresses) found.push((await get('once', xff(address))).status);
      return found;
    };
    const addresses = ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::9', '2001:db8:1:3::1'];
    expect(await statuses({ proxy }, addresses)).toEqual([200, 429, 200]);
    expect(await statuses({ proxy, ipv6Prefix: 56 }, addresses)).toEqual([200, 429, 429]);
    expect(await statuses({ proxy, ipv6Prefix: 128 }, addresses)).toEqual([200, 200, 200]);
  });

  it('limits a /48 more widely by a second limit with a key of its own', async () => {
    const get = await open({ proxy: { hops: 1 } });
    const statuses: number[] = [];
    for (let site = 1; site <= 5; site++) statuses.push((await get('wide', xff(`2001:db8:1:${site}::1`))).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect((await get('wide', xff('2001:db8:2::1'))).status).toBe(200);
  });

  it('76: sends `pk` when there is a secret, on what passes and what is refused', async () => {
    const [get, other] = [await open({ partitionKeySecret: 'a secret of the service' }), await open({})];
    const field = (await get('once')).headers['ratelimit'] as string;
    expect(field).toMatch(/^"SeenController\.once";r=0;t=3600;pk=:[\w+/]{16}:$/);
    expect((await get('once')).headers['ratelimit']).toBe(field);
    expect((await other('once')).headers['ratelimit']).toBe('"SeenController.once";r=0;t=3600');
  });

  it('lets scripts of other origins read the headers when asked to, besides those exposed already', async () => {
    const [get, other] = [await open({ exposeHeaders: true }), await open({})];
    const header = 'access-control-expose-headers';
    for (const status of [200, 429]) {
      const answer = await get('once', { Origin: 'https://a.example' });
      expect([answer.status, answer.headers[header]]).toEqual([
        status,
        'X-Total, RateLimit-Policy, RateLimit, Retry-After',
      ]);
    }
    expect((await get('who', { Origin: 'https://a.example' })).headers[header]).toBe('X-Total');
    expect((await other('once', { Origin: 'https://a.example' })).headers[header]).toBe('X-Total');
  });

  it('sends several dialects', async () => {
    const get = await open({ headers: ['draft-7', 'x-ratelimit-epoch'] });
    const { headers } = await get('once');
    expect([headers['ratelimit-policy'], headers['ratelimit']]).toEqual([
      '1;w=3600',
      'limit=1, remaining=0, reset=3600',
    ]);
    const reset = Number(headers['x-ratelimit-reset']) - Date.now() / 1_000;
    expect(reset).toBeGreaterThan(3_590);
    expect(reset).toBeLessThanOrEqual(3_601);
  });

  it('79: headers that are sent already stay as they are', async () => {
    const get = await open({});
    const { status, headers, body } = await get('early');
    expect([status, headers['ratelimit'], body]).toEqual([200, undefined, 'ok']);
  });
});

describe('the client of a WebSocket upgrade', () => {
  it('65: is found like that of a request', async () => {
    const addresses = new ClientAddresses(new ThrottleConfig({ proxy: { hops: 1 } }));
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, request) => socket.send(addresses.of(request)));
    const { port } = server.address() as AddressInfo;
    const client = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { 'x-forwarded-for': '9.9.9.9, 1.2.3.4' } });
    const seen = await new Promise((resolve, reject) => {
      client.on('message', (data: Buffer) => resolve(data.toString()));
      client.on('error', reject);
    });
    client.terminate();
    sockets.close();
    server.close();
    expect(seen).toBe('1.2.3.4');
  });
});

describe('the client of nothing', () => {
  const plain = new ClientAddresses(new ThrottleConfig({}));
  const proxied = new ClientAddresses(new ThrottleConfig({ proxy: { hops: 1 } }));

  it.each([
    ['no request', undefined],
    ['null', null],
    ['no object', 'request'],
    ['an RPC context', { pattern: 'x' }],
    ['a destroyed socket', { ip: undefined, headers: {}, socket: { remoteAddress: undefined } }],
    ['no socket', { headers: {}, socket: null }],
    ['an address that is none', { ip: 7, socket: {} }],
  ])('64: %s is unknown', (_what, request) => {
    expect([plain.of(request), proxied.of(request), plain.exactly(request)]).toEqual(Array(3).fill('unknown'));
  });
});
