import {
  Body,
  ClassSerializerInterceptor,
  Controller,
  Get,
  Head,
  Header,
  Headers,
  HttpCode,
  Injectable,
  NotFoundException,
  Param,
  Post,
  Query,
  Redirect,
  Res,
  StreamableFile,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { eventually, RedisServer } from '@roost/testing';
import { Reflector } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { CacheResponse } from './cache-response.decorator.js';
import { HttpCacheInterceptor } from './http-cache.interceptor.js';
import { askAndLeave, empty, entriesOf, keyOfEntry, openTestbed, type Testbed } from './http-cache.testbed.js';

const adapters = [
  ['Fastify', () => new FastifyAdapter()],
  ['Express', () => new ExpressAdapter()],
] as const;

const soon = { within: 2_000, every: 2 };

let server: RedisServer;
let runs: Record<string, number> = {};
/** What slow handlers wait for. */
let gate: Promise<void> = Promise.resolve();
let failing = false;

function ran(name: string): number {
  return (runs[name] = (runs[name] ?? 0) + 1);
}

class User {
  id = 1;
  password = 'secret';
}

/** Nest's own, with what stands for `@Exclude()` of class-transformer. */
@Injectable()
class Serializer extends ClassSerializerInterceptor {
  constructor(reflector: Reflector) {
    const classToPlain = (value: object) =>
      JSON.parse(JSON.stringify(value, (name, each: unknown) => (name === 'password' ? undefined : each))) as unknown;
    super(reflector, { transformerPackage: { classToPlain, plainToInstance: classToPlain } as never });
  }
}

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class OnlyWithTicket implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-ticket'] !== 'none';
  }
}

type Reply = { header(name: string, value: string): void };

@Controller()
class Cached {
  @Get('count')
  @CacheResponse({ ttl: '1m', tags: ['count'], maxAge: '30s', staleWhileRevalidate: '10s' })
  count() {
    return { count: ran('count') };
  }

  @Get('custom')
  @HttpCode(203)
  @Header('x-custom', 'kept')
  @Header('x-other', 'not kept')
  @CacheResponse({ headers: ['X-Custom'] })
  custom() {
    return `text ${ran('custom')}`;
  }

  @Get('cookie')
  @Header('set-cookie', 'a=b')
  @CacheResponse()
  cookie() {
    return String(ran('cookie'));
  }

  @Get('private')
  @Header('cache-control', 'private, max-age=1')
  @CacheResponse()
  private() {
    return String(ran('private'));
  }

  @Get('search')
  @CacheResponse({ query: { ignore: ['utm_*'] } })
  search(@Query() query: object) {
    return { run: ran('search'), query };
  }

  @Get('mine')
  @CacheResponse()
  mine(@Headers('authorization') authorization: string) {
    ran('mine');
    return `of ${authorization}`;
  }

  @Get('own')
  @CacheResponse({ varyBy: (request) => request.headers.authorization as string })
  own(@Headers('authorization') authorization: string) {
    ran('own');
    return `of ${authorization}`;
  }

  @Get('everybody')
  @CacheResponse({ scope: 'public' })
  everybody() {
    return String(ran('everybody'));
  }

  @Get('language')
  @Header('vary', 'Accept-Language')
  @CacheResponse({ vary: ['Accept-Language'] })
  language(@Headers('accept-language') language: string) {
    ran('language');
    return `in ${language}`;
  }

  @Get('undeclared')
  @Header('vary', 'X-Theme')
  @CacheResponse()
  undeclared() {
    return String(ran('undeclared'));
  }

  @Post('post')
  @CacheResponse()
  post() {
    return String(ran('post'));
  }

  @Post('report')
  @HttpCode(200)
  @CacheResponse({ methods: ['POST'] })
  report(@Body() body: object) {
    return { run: ran('report'), body };
  }

  @Get('slow/:id')
  @CacheResponse({ grace: '1m', ttl: '40ms', softTimeout: '20ms' })
  async slow(@Param('id') id: string) {
    const run = ran('slow');
    await gate;
    if (failing) throw new Error('broken');
    return `${id} ${run}`;
  }

  @Get('strict')
  @CacheResponse()
  async strict(@Res({ passthrough: true }) reply: Reply) {
    const run = ran('strict');
    await gate;
    if (failing) throw new Error('broken');
    if (run === 1) reply.header('set-cookie', 'mine=1');
    return String(run);
  }

  @Get('missing')
  @CacheResponse()
  missing() {
    throw new NotFoundException(`none ${ran('missing')}`);
  }

  @Get('moved')
  @Redirect('/elsewhere', 301)
  @CacheResponse({ vary: ['accept'] }) // Express redirects in text or HTML
  moved() {
    ran('moved');
  }

  @Get('nothing')
  @HttpCode(204)
  @CacheResponse()
  nothing() {
    ran('nothing');
  }

  @Get('stream')
  @CacheResponse()
  stream() {
    return new StreamableFile(Buffer.from(`stream ${ran('stream')}`));
  }

  @Get('by-hand')
  @CacheResponse()
  byHand(@Res() reply: { send(body: string): void }) {
    reply.send(`by hand ${ran('by-hand')}`);
  }

  // The guard stands above the decorator and so runs after it, if nothing is done about that.
  @UseGuards(OnlyWithTicket)
  @CacheResponse()
  @Get('guarded')
  guarded() {
    return String(ran('guarded'));
  }

  @Get('mistagged')
  @CacheResponse({ tags: () => [''] })
  mistagged() {
    return String(ran('mistagged'));
  }

  @Get('large')
  @CacheResponse()
  large() {
    return 'x'.repeat(2_000);
  }

  @Get('obedient')
  @CacheResponse({ obeyRequests: true })
  obedient() {
    return String(ran('obedient'));
  }

  @Head('only-head')
  @CacheResponse()
  onlyHead() {
    ran('only-head');
  }
}

@Controller('above')
@UseInterceptors(Envelope, Serializer)
class SerializedByClass {
  @Get()
  @CacheResponse()
  user() {
    ran('user');
    return new User();
  }
}

@Controller('outside')
@UseInterceptors(HttpCacheInterceptor.with({ ttl: '1m' }), Serializer)
class CacheOutside {
  @Get()
  user() {
    ran('user');
    return new User();
  }

  @Get('not')
  @CacheResponse(false)
  not() {
    return String(ran('not'));
  }
}

@Controller('inside')
@UseInterceptors(Serializer, Envelope, HttpCacheInterceptor)
class CacheInside {
  @Get()
  user() {
    ran('user');
    return new User();
  }
}

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe.each(adapters)('@CacheResponse on %s', (_name, adapter) => {
  let bed: Testbed;
  let arrivals = 0;

  beforeAll(async () => {
    bed = await openTestbed({
      adapter,
      url: server.url,
      cache: { maxValueBytes: 2_000 },
      controllers: [Cached, SerializedByClass, CacheOutside, CacheInside],
      providers: [OnlyWithTicket],
      prepare: (app) => {
        app.enableCors({ origin: true });
        app.use((_request: unknown, response: Reply & { setHeader: Reply['header'] }, next: () => void) => {
          response.setHeader('x-request-id', String(++arrivals));
          next();
        });
      },
    });
  });
  afterAll(() => bed.app.close());
  beforeEach(async () => {
    runs = {};
    gate = Promise.resolve();
    failing = false;
    await empty(bed, server);
  });

  const statusOf = async (path: string, headers: Record<string, string> = {}) =>
    (await bed.ask(path, headers)).headers['cache-status'];

  it('answers a hit by the bytes, status and headers of the miss, and adds what caches say', async () => {
    const miss = await bed.ask('/count');
    const hit = await bed.ask('/count');
    expect(runs).toEqual({ count: 1 });
    expect([hit.status, hit.body]).toEqual([200, '{"count":1}']);
    expect(miss.body).toBe(hit.body);
    expect(miss.headers['cache-status']).toBe('roost; fwd=miss; stored');
    expect(hit.headers['cache-status']).toBe('roost; hit; ttl=59');
    expect([miss.headers.age, hit.headers.age]).toEqual([undefined, '0']);
    for (const header of ['content-type', 'content-length', 'etag', 'cache-control', 'vary']) {
      expect([header, hit.headers[header]]).toEqual([header, miss.headers[header]]);
    }
    expect(hit.headers['cache-control']).toBe('max-age=30, stale-while-revalidate=10');
    expect(hit.headers.etag).toMatch(/^"[\w-]{22}"$/);
    expect(hit.headers['x-request-id']).not.toBe(miss.headers['x-request-id']);
  });

  it('runs the handler again after its tag was invalidated', async () => {
    await bed.ask('/count');
    await bed.cache.invalidateTags('count');
    expect((await bed.ask('/count')).body).toBe('{"count":2}');
  });

  it('49: does not share between users, and does where it is told who shares', async () => {
    for (const user of ['a', 'b', 'a']) {
      const answer = await bed.ask('/mine', { authorization: user });
      expect([answer.body, answer.headers['cache-status']]).toEqual([`of ${user}`, 'roost; fwd=bypass']);
    }
    expect(runs).toEqual({ mine: 3 });
    for (const user of ['a', 'b', 'a', 'b']) {
      const answer = await bed.ask('/own', { authorization: user });
      expect([answer.body, answer.headers['cache-control']]).toEqual([`of ${user}`, 'private']);
    }
    expect(runs.own).toBe(2);
    expect(await statusOf('/own')).toBe('roost; fwd=bypass');
    for (const user of ['a', 'b']) await bed.ask('/everybody', { cookie: `session=${user}` });
    expect(runs.everybody).toBe(1);
    expect(bed.warnings.filter((warning) => warning.includes('Cached.mine'))).toHaveLength(1);
  });

  it('50: never keeps a POST that does not say so, and by its body where it does', async () => {
    await bed.ask('/post', {}, 'POST', {});
    const second = await bed.ask('/post', {}, 'POST', {});
    expect([second.body, second.headers['cache-status']]).toEqual(['2', 'roost; fwd=method']);
    const bodies = [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 2 }];
    const answers = [];
    for (const body of bodies) answers.push((await bed.ask('/report', {}, 'POST', body)).body);
    expect(answers.map((body) => (JSON.parse(body) as { run: number }).run)).toEqual([1, 1, 2]);
  });

  it.each(['/above', '/outside', '/inside'])(
    '51: a hit on %s has the bytes of the miss, without what was excluded',
    async (path) => {
      const miss = await bed.ask(path);
      const hit = await bed.ask(path);
      expect(runs).toEqual({ user: 1 });
      expect(hit.headers['cache-status']).toMatch(/; hit;/);
      expect(hit.body).toBe(miss.body);
      expect(hit.body).toContain('"id":1');
      expect(hit.body).not.toContain('secret');
      expect(hit.headers.etag).toBe(miss.headers.etag);
    },
  );

  it('52: a hit has the status and the named headers of the miss', async () => {
    await bed.ask('/custom');
    const hit = await bed.ask('/custom');
    expect([hit.status, hit.body]).toEqual([203, 'text 1']);
    expect([hit.headers['x-custom'], hit.headers['x-other']]).toEqual(['kept', undefined]);
  });

  it.each(['cookie', 'private', 'undeclared'])(
    '52: a response that is not for others is not kept: %s',
    async (route) => {
      expect(await statusOf(`/${route}`)).toBe('roost; fwd=miss');
      expect(await statusOf(`/${route}`)).toBe('roost; fwd=bypass; detail=uncacheable');
      expect(runs).toEqual({ [route]: 2 });
      expect(await entriesOf(server)).toEqual([]);
      expect(bed.warnings.filter((warning) => warning.includes(`Cached.${route} `))).toHaveLength(1);
    },
  );

  it('53: answers 304 to a client that has it, without the handler, and a HEAD without a body', async () => {
    const { headers } = await bed.ask('/count');
    const known = await bed.ask('/count', { 'if-none-match': `"other", W/${headers.etag}` });
    expect([known.status, known.body, known.headers.age]).toEqual([304, '', '0']);
    expect([known.headers.etag, known.headers['content-type']]).toEqual([headers.etag, undefined]);
    expect(known.headers['cache-control']).toBe(headers['cache-control']);
    const head = await bed.ask('/count', {}, 'HEAD');
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', '11']);
    expect([head.headers.etag, head.headers['cache-status']]).toEqual([headers.etag, 'roost; hit; ttl=59']);
    expect(runs).toEqual({ count: 1 });
  });

  it('53: a client that has the old response is sent none of a miss that is the same, and others get all of it', async () => {
    const { headers } = await bed.ask('/everybody');
    await bed.cache.clear();
    runs = {};
    const again = await bed.ask('/everybody', { 'if-none-match': headers.etag! });
    expect([again.status, again.body, again.headers['cache-status']]).toEqual([304, '', 'roost; fwd=miss; stored']);
    const hit = await bed.ask('/everybody');
    expect([hit.status, hit.body]).toEqual([200, '1']);
  });

  it('53: a HEAD that finds nothing keeps nothing', async () => {
    expect((await bed.ask('/count', {}, 'HEAD')).headers['cache-status']).toBe('roost; fwd=miss');
    expect((await bed.ask('/count')).body).toBe('{"count":2}');
    expect((await bed.ask('/only-head', {}, 'HEAD')).status).toBe(200);
  });

  it('54: knows which queries are the same', async () => {
    const run = async (query: string) => (JSON.parse((await bed.ask(`/search?${query}`)).body) as { run: number }).run;
    expect([await run('a=1&b=2'), await run('b=2&a=1'), await run('utm_source=x&b=2&utm_campaign=y&a=1')]).toEqual([
      1, 1, 1,
    ]);
    expect([await run('a=1&a=2'), await run('a=2&a=1'), await run('%61=1&a=2')]).toEqual([2, 3, 2]);
  });

  it('56: keeps the response to a client that has left', async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    await askAndLeave(bed.port, '/slow/1');
    await eventually(() => expect(runs.slow).toBe(1), soon);
    open();
    await eventually(async () => expect(await entriesOf(server)).toHaveLength(1), soon);
    expect(runs).toEqual({ slow: 1 });
  });

  it('56: does not keep a failure, and gives it to those who waited for it', async () => {
    failing = true;
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const answers = Array.from({ length: 5 }, () => bed.ask('/strict'));
    await eventually(() => expect(runs.strict).toBe(1), soon);
    setTimeout(open, 20);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([500, 500, 500, 500, 500]);
    expect([runs, await entriesOf(server)]).toEqual([{ strict: 1 }, []]);
  });

  it('runs the handler once for all who ask at the same time', async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const asked = Array.from({ length: 10 }, () => bed.ask('/slow/1'));
    await eventually(() => expect(runs.slow).toBe(1), soon);
    setTimeout(open, 20);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['1 1']));
    const statuses = answers.map(({ headers }) => headers['cache-status']).sort();
    expect(statuses.filter((status) => status === 'roost; fwd=miss; collapsed')).toHaveLength(9);
    expect(statuses.at(-1)).toBe('roost; fwd=miss; stored');
  });

  it('lets those who waited for what is not theirs run the handler themselves', async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const asked = Array.from({ length: 3 }, () => bed.ask('/strict'));
    await eventually(() => expect(runs.strict).toBe(1), soon);
    setTimeout(open, 20);
    const answers = await Promise.all(asked);
    expect(answers.map(({ body }) => body).sort()).toEqual(['1', '2', '3']);
    expect(answers.filter(({ headers }) => headers['set-cookie'] !== undefined)).toHaveLength(1);
  });

  it('answers by what is stale while one request renews it, and when that fails', async () => {
    expect((await bed.ask('/slow/1')).body).toBe('1 1');
    const [entry] = await entriesOf(server);
    await bed.cache.expire(keyOfEntry(entry!));
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const renewing = bed.ask('/slow/1');
    await eventually(() => expect(runs.slow).toBe(2), soon);
    const stale = await bed.ask('/slow/1');
    expect([stale.body, stale.headers['cache-status']]).toEqual(['1 1', expect.stringMatching(/^roost; hit; ttl=-1$/)]);
    failing = true;
    open();
    const saved = await renewing;
    expect([saved.status, saved.body, saved.headers['cache-status']]).toEqual([200, '1 1', 'roost; fwd=stale']);
  });

  it('keeps 404, 204 and redirects, whole', async () => {
    for (const [path, status] of [
      ['/missing', 404],
      ['/nothing', 204],
      ['/moved', 301],
    ] as const) {
      const miss = await bed.ask(path);
      const hit = await bed.ask(path);
      expect([path, hit.status, hit.body]).toEqual([path, status, miss.body]);
      expect(hit.headers['cache-status']).toMatch(/; hit;/);
    }
    expect(runs).toEqual({ missing: 1, nothing: 1, moved: 1 });
  });

  it('lets streams pass as they are, and keeps what a handler sends by hand', async () => {
    expect([(await bed.ask('/stream')).body, (await bed.ask('/stream')).body]).toEqual(['stream 1', 'stream 2']);
    expect([(await bed.ask('/by-hand')).body, (await bed.ask('/by-hand')).body]).toEqual(['by hand 1', 'by hand 1']);
  });

  it('keeps apart what depends on a declared header', async () => {
    for (const language of ['nl', 'de', 'nl']) {
      const answer = await bed.ask('/language', { 'accept-language': language });
      expect(answer.body).toBe(`in ${language}`);
      expect(answer.headers.vary?.toLowerCase()).toContain('accept-language');
    }
    expect(runs.language).toBe(2);
  });

  it('asks a guard that stands above it first', async () => {
    expect((await bed.ask('/guarded')).status).toBe(200);
    expect((await bed.ask('/guarded', { 'x-ticket': 'none' })).status).toBe(403);
    expect((await bed.ask('/guarded')).body).toBe('1');
  });

  it('obeys requests where it is told to, and nowhere else', async () => {
    const body = async (path: string, control: string) => (await bed.ask(path, { 'cache-control': control })).body;
    expect([await body('/obedient', 'max-age=60'), await body('/obedient', 'max-age=60')]).toEqual(['1', '1']);
    expect([await body('/obedient', 'no-cache'), await body('/obedient', 'max-age=60')]).toEqual(['2', '2']);
    expect([await body('/obedient', 'no-store'), await body('/obedient', 'max-age=60')]).toEqual(['3', '2']);
    await bed.ask('/count');
    expect(await body('/count', 'no-cache')).toBe('{"count":1}');
  });

  it('never answers a part or for a part', async () => {
    expect(await statusOf('/count', { range: 'bytes=0-1' })).toBe('roost; fwd=bypass');
    expect(await entriesOf(server)).toEqual([]);
  });

  it('serves a route whose tags are none, and says so once', async () => {
    expect([await statusOf('/mistagged'), await statusOf('/mistagged')]).toEqual([
      'roost; fwd=miss',
      'roost; fwd=miss',
    ]);
    expect(runs).toEqual({ mistagged: 2 });
    expect(bed.warnings.filter((warning) => warning.includes('Cached.mistagged'))).toHaveLength(1);
  });

  it('says so when a response is too large to be stored', async () => {
    expect(await statusOf('/large')).toBe('roost; fwd=miss');
    expect(await entriesOf(server)).toEqual([]);
  });

  it('keeps responses to readers of another origin, each with its own', async () => {
    const first = await bed.ask('/count', { origin: 'https://a.example' });
    const second = await bed.ask('/count', { origin: 'https://b.example' });
    expect(first.headers['access-control-allow-origin']).toBe('https://a.example');
    expect(second.headers['access-control-allow-origin']).toBe('https://b.example');
    expect(runs).toEqual({ count: 1 });
  });

  it('leaves a route alone that says false', async () => {
    expect([(await bed.ask('/outside/not')).body, (await bed.ask('/outside/not')).body]).toEqual(['1', '2']);
    expect(await statusOf('/outside/not')).toBeUndefined();
  });
});
