import {
  ConsoleLogger,
  Controller,
  Get,
  Header,
  HttpException,
  Injectable,
  Param,
  StreamableFile,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { once } from 'node:events';
import { get, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimit } from '../policies/rate-limit.decorator.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { HeldCharges } from '../switching/held-charges.js';
import { ThrottleModule } from '../throttle.module.js';
import type { LimitOptions, Outcome } from '../throttle.options.js';

const HOUR = '1h';

const failures: LimitOptions = { name: 'failures', limit: 5, window: HOUR, count: 'failure', key: () => 'x' };
const successes: LimitOptions = { name: 'successes', limit: 5, window: HOUR, count: 'success', key: () => 'x' };
const guarded: LimitOptions = {
  ...failures,
  name: 'guarded',
  limit: 3,
  block: { after: 2, for: '10m' },
};
const chosen: LimitOptions = {
  name: 'chosen',
  limit: 5,
  window: HOUR,
  cost: 2,
  key: () => 'x',
  count: ({ status }: Outcome) => {
    if (status === 500) throw new Error('a bug in the application');
    return status === 404;
  },
};
const slots: LimitOptions = { name: 'slots', limit: 5, window: '30s', algorithm: 'concurrency', key: () => 'x' };
const short: LimitOptions = { name: 'short', limit: 1, window: '1s', algorithm: 'concurrency', key: () => 'x' };

/** Holds requests until it is opened. */
class Gate {
  waiting = 0;
  #open: () => void = () => undefined;
  #opened = new Promise<void>((resolve) => (this.#open = resolve));

  async pass(): Promise<void> {
    this.waiting++;
    await this.#opened;
    this.waiting--;
  }

  open(): void {
    this.#open();
  }
}

@Injectable()
class Refusing implements CanActivate {
  canActivate(_context: ExecutionContext): boolean {
    return false;
  }
}

let gate = new Gate();

@Controller()
class LimitedController {
  @Get('failures/:status')
  @RateLimit(failures)
  failures(@Param('status') status: string) {
    return answer(status);
  }

  @Get('guarded/:status')
  @RateLimit(guarded)
  guarded(@Param('status') status: string) {
    return answer(status);
  }

  @Get('successes/:status')
  @RateLimit(successes)
  successes(@Param('status') status: string) {
    return answer(status);
  }

  @Get('chosen/:status')
  @RateLimit(chosen)
  chosen(@Param('status') status: string) {
    return answer(status);
  }

  @Get('forbidden')
  @UseGuards(Refusing)
  @RateLimit([successes, slots])
  forbidden() {
    return 'never';
  }

  @Get('slots/:status')
  @RateLimit(slots)
  slots(@Param('status') status: string) {
    return answer(status);
  }

  @Get('short/:status')
  @RateLimit(short)
  short(@Param('status') status: string) {
    return answer(status);
  }

  @Get('stream')
  @Header('content-type', 'text/plain')
  @RateLimit([slots, successes])
  stream() {
    return new StreamableFile(
      Readable.from(
        (async function* () {
          yield 'first';
          await gate.pass();
          yield 'last';
        })(),
      ),
    );
  }
}

async function answer(status: string): Promise<string> {
  if (status === 'slow') await gate.pass();
  else if (status !== '200') throw new HttpException('no', Number(status));
  return 'ok';
}

const adapters = { express: () => new ExpressAdapter(), fastify: () => new FastifyAdapter() };
const cases = Object.entries(adapters).flatMap(([name, adapter]) =>
  (['memory', 'redis'] as const).map((backend) => [name, backend, adapter] as const),
);

describe.each(cases)('requests on %s, counted in %s,', (_name, backend, adapter) => {
  let server: RedisServer | undefined;
  let app: INestApplication;
  let limiter: RateLimiter;
  let url: string;
  const clients: ClientRequest[] = [];

  beforeAll(async () => {
    if (backend === 'redis') server = await RedisServer.start();
  });
  beforeEach(async () => {
    await server?.command('FLUSHALL');
    gate = new Gate();
    app = await start();
    limiter = app.get(RateLimiter);
    url = await app.getUrl();
  });
  afterEach(async () => {
    gate.open();
    for (const client of clients.splice(0)) client.destroy();
    await app.close();
  });
  afterAll(() => server?.stop());

  async function start(): Promise<INestApplication> {
    const redis = RedisModule.forRoot(server ? { url: server.url, commandTimeoutMs: 10_000 } : {});
    const testing = await Test.createTestingModule({
      imports: [redis, ThrottleModule.forRoot()],
      controllers: [LimitedController],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    const started = testing.createNestApplication(adapter());
    await started.listen(0, '127.0.0.1');
    return started;
  }

  const status = async (path: string) => (await fetch(`${url}/${path}`)).status;
  const left = async (limit: LimitOptions) => (await limiter.peek(limit, 'x')).policies[0]!.remaining;
  const settled = (limit: LimitOptions, remaining: number) =>
    eventually(async () => expect(await left(limit)).toBe(remaining), { within: 2_000, every: 5 });

  /** A request whose client can go away. */
  function open(path: string): { client: ClientRequest; answered: Promise<IncomingMessage | Error> } {
    const client = get(`${url}/${path}`, { agent: false });
    clients.push(client);
    const answered = Promise.race([
      once(client, 'response').then(([response]) => response as IncomingMessage),
      once(client, 'error').then(([error]) => error as Error),
    ]).catch((error: Error) => error);
    return { client, answered };
  }
  const inHandlers = (count: number) => eventually(() => gate.waiting === count, { within: 2_000, every: 5 });

  it('39: count `failure` keeps two failures of five requests', async () => {
    for (const each of ['200', '200', '401', '200', '401']) {
      expect(await status(`failures/${each}`)).toBe(Number(each));
    }
    await settled(failures, 3);
    for (const each of ['500', '404', '400']) await status(`failures/${each}`);
    await settled(failures, 0);
    expect(await status('failures/200')).toBe(429);
  });

  it('39: count `success` keeps the others', async () => {
    for (const each of ['200', '200', '401', '200', '500']) await status(`successes/${each}`);
    await settled(successes, 2);
  });

  it('39: a function decides, and one that fails keeps the charge', async () => {
    await status('chosen/200');
    await settled(chosen, 5);
    await status('chosen/404');
    await settled(chosen, 3);
    await status('chosen/500');
    await status('chosen/200');
    await settled(chosen, 1);
  });

  it('39: until they have ended all are counted, so that many at once do not slip through', async () => {
    const running = Array.from({ length: 6 }, () => fetch(`${url}/failures/slow`));
    await inHandlers(5);
    expect((await Promise.race(running)).status).toBe(429);
    expect(await left(failures)).toBe(0);
    gate.open();
    expect((await Promise.all(running)).filter((each) => each.ok)).toHaveLength(5);
    await settled(failures, 5);
  });

  it('291: brute force is blocked, however often it fails, and told so', async () => {
    const attempts: number[] = [];
    for (let i = 0; i < 8; i++) attempts.push(await status('guarded/401'));
    expect(attempts).toEqual([401, 401, 401, 429, 429, 429, 429, 429]);
    expect(await limiter.violations(guarded, 'x')).toBe(2);
    const { headers } = await fetch(`${url}/guarded/200`);
    expect([headers.get('retry-after'), headers.get('ratelimit')]).toEqual(['600', '"guarded";r=0;t=600']);
    await limiter.unblock(guarded, 'x');
    expect(await status('guarded/200')).toBe(200);
  });

  it('a client that goes away has failed', async () => {
    const [failed, lost] = [open('failures/slow'), open('successes/slow')];
    await inHandlers(2);
    failed.client.destroy();
    lost.client.destroy();
    await settled(successes, 5);
    gate.open();
    await inHandlers(0);
    await sleep(20);
    expect([await left(failures), await left(successes)]).toEqual([4, 5]);
  });

  it('what a later guard refuses has failed, too, and holds no slot', async () => {
    expect(await status('forbidden')).toBe(403);
    await settled(successes, 5);
    await settled(slots, 5);
  });

  it('85: who goes away frees the slots of all requests that were pipelined', async () => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write('GET /slots/slow HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(4));
    await inHandlers(4);
    await settled(slots, 1);
    socket.destroy();
    await settled(slots, 5);
  });

  it('85: five slots, the sixth is refused, and who goes away frees one', async () => {
    const running = Array.from({ length: 5 }, () => open('slots/slow'));
    await inHandlers(5);
    expect(await status('slots/200')).toBe(429);
    running[0]!.client.destroy();
    await settled(slots, 1);
    expect(await status('slots/200')).toBe(200);
    await settled(slots, 1);
    gate.open();
    await Promise.all(running.slice(1).map(({ answered }) => answered));
    await settled(slots, 5);
    for (let i = 0; i < 3; i++) expect(await status(`slots/${[200, 404, 500][i]}`)).toBe([200, 404, 500][i]);
    await settled(slots, 5);
  });

  it('85: an answer holds its slot until its last byte', async () => {
    const { answered } = open('stream');
    const response = (await answered) as IncomingMessage;
    response.resume();
    await inHandlers(1);
    expect([await left(slots), await left(successes)]).toEqual([4, 4]);
    gate.open();
    await once(response, 'end');
    await settled(slots, 5);
    expect(await left(successes)).toBe(4);
  });

  it('85: a client that goes away in the middle of an answer frees its slot', async () => {
    const { client, answered } = open('stream');
    await answered;
    await inHandlers(1);
    client.destroy();
    await settled(slots, 5);
    await settled(successes, 5); // it got no whole answer
  });

  it('85: a slot outlives its window while its request runs', async () => {
    const running = fetch(`${url}/short/slow`);
    await inHandlers(1);
    const until = performance.now() + 1_300;
    while (performance.now() < until) {
      expect(await status('short/200')).toBe(429);
      await sleep(10);
    }
    gate.open();
    expect((await running).status).toBe(200);
    await settled(short, 1);
  });

  it('85: the slots of a process that dies are free after their window', async () => {
    const running = fetch(`${url}/short/slow`);
    await inHandlers(1);
    app.get(HeldCharges).close(); // it renews no more, as if it were dead
    await settled(short, 1);
    gate.open();
    await running;
    await sleep(20);
    expect(await left(short)).toBe(1);
  });
});
