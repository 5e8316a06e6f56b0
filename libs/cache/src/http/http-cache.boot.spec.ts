import { Controller, Get, Injectable, Sse, UseGuards, UseInterceptors, type ExecutionContext } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { NEVER } from 'rxjs';
import { CacheResponse } from './cache-response.decorator.js';
import { HttpCacheGuard } from './http-cache.guard.js';
import { HttpCacheInterceptor } from './http-cache.interceptor.js';
import { openTestbed } from './http-cache.testbed.js';

const adapter = () => new FastifyAdapter();

describe('the boot of an application with @CacheResponse', () => {
  it('fails when options are wrong, and names each of them', async () => {
    @Controller()
    class Wrong {
      @Get('a')
      @CacheResponse({ ttl: '1y', scope: 'private', statuses: [206, 500], headers: ['Set-Cookie'], tll: 1 } as never)
      many() {}

      @Get('b')
      @CacheResponse({
        scope: 'public',
        varyBy: () => 'a',
        staleIfError: '1m',
        vary: ['*'],
        query: { deny: [] },
      } as never)
      contradictory() {}

      @Sse('c')
      @CacheResponse()
      events() {
        return NEVER;
      }
    }
    @Injectable()
    class NoController {
      @CacheResponse()
      method() {}
    }
    await expect(openTestbed({ adapter, controllers: [Wrong], providers: [NoController] })).rejects.toMatchObject({
      code: 'options.invalid',
      problems: [
        expect.stringContaining('NoController.method: it is no HTTP route'),
        expect.stringContaining("Wrong.many: `ttl`: Expected a duration such as '30s'"),
        expect.stringContaining("Wrong.many: `scope`: Expected 'public'"),
        expect.stringContaining('Wrong.many: `statuses`: Expected an array of statuses'),
        expect.stringContaining('Wrong.many: `headers`: Expected an array of header names without Set-Cookie'),
        expect.stringContaining('Wrong.many: Unknown option `tll`'),
        expect.stringContaining('Wrong.contradictory: `vary`: Expected'),
        expect.stringContaining('Wrong.contradictory: `query`: Expected'),
        expect.stringContaining('Wrong.contradictory: `scope: '),
        expect.stringContaining('Wrong.contradictory: `staleWhileRevalidate` and `staleIfError` need `maxAge`'),
        expect.stringContaining('Wrong.events: events'),
      ],
    });
  });

  it('fails when options of the interceptor are wrong', async () => {
    @Controller()
    @UseInterceptors(HttpCacheInterceptor.with({ ttl: 'soon' as '1s' }))
    class Wrong {
      @Get()
      route() {}
    }
    await expect(openTestbed({ adapter, controllers: [Wrong] })).rejects.toMatchObject({ code: 'options.invalid' });
  });

  it('puts the guard behind all others, wherever the decorator stands', async () => {
    const guard = { canActivate: () => true };
    @Controller()
    class Guarded {
      @UseGuards(guard)
      @CacheResponse()
      @UseGuards(guard)
      @Get()
      route() {}
    }
    const { app } = await openTestbed({ adapter, controllers: [Guarded] });
    expect(Reflect.getMetadata('__guards__', Guarded.prototype.route)).toEqual([guard, guard, HttpCacheGuard]);
    await app.close();
  });

  it.each(['rpc', 'ws', 'graphql', 'http'])('55: lets calls without an HTTP response pass: %s', async (type) => {
    class Handlers {
      @CacheResponse()
      @Get()
      handle() {}
    }
    const guard = new HttpCacheGuard(undefined as never, { of: () => ({}) } as never);
    const context = {
      getType: () => type,
      getClass: () => Handlers,
      getHandler: () => Handlers.prototype.handle,
      getArgByIndex: (): unknown => ({}),
    } as unknown as ExecutionContext;
    expect(guard.canActivate(context)).toBe(true);
  });
});
