import cookiePlugin from '@fastify/cookie';
import sessionPlugin from '@fastify/session';
import { Controller, Delete, Get, Module, Post, Query, Req } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import type { FastifyRequest } from 'fastify';
import { SessionModule, Sessions, SessionStores } from '../index.js';
import { Visitor } from './visitor.testbed.js';

interface Held {
  userId?: string;
  [name: string]: unknown;
}
interface Request {
  session: FastifyRequest['session'] & Held;
}

@Controller()
class AppController {
  static gate: Promise<void> | undefined;

  @Get('look')
  look(@Req() { session: { cookie, ...data } }: Request) {
    return { ...data, maxAge: cookie.originalMaxAge };
  }

  @Post('set')
  async set(@Req() request: Request, @Query() query: Record<string, string>) {
    Object.assign(request.session, query);
    await AppController.gate;
    return {};
  }

  @Post('drop')
  drop(@Req() request: Request, @Query('name') name: string) {
    delete request.session[name];
    return {};
  }

  @Post('in')
  async signIn(@Req() request: Request, @Query('user') userId: string) {
    await request.session.regenerate();
    request.session.userId = userId;
    return {};
  }

  @Delete('out')
  async signOut(@Req() request: Request) {
    await request.session.destroy();
    return {};
  }
}

@Module({ controllers: [AppController] })
class AppModule {}

/** Real applications on a real Redis: two of them, as two processes would be. */
describe('@fastify/session', () => {
  let server: RedisServer;
  const apps: NestFastifyApplication[] = [];
  const origins: string[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    for (let i = 0; i < 2; i++) {
      const imports = [
        RedisModule.forRoot({ url: server.url, commandTimeoutMs: 5_000 }),
        SessionModule.forRoot(),
        AppModule,
      ];
      const app = (await Test.createTestingModule({ imports }).compile()).createNestApplication<NestFastifyApplication>(
        new FastifyAdapter(),
        { logger: false },
      );
      const store = app.get(SessionStores).create<Held>({ user: ({ userId }) => userId });
      await app.register(cookiePlugin);
      await app.register(sessionPlugin, {
        store,
        secret: 'a secret text of at least 32 characters',
        saveUninitialized: false,
        cookie: { secure: false, maxAge: 600_000 },
      });
      await app.listen(0, '127.0.0.1');
      apps.push(app);
      origins.push(await app.getUrl());
    }
  });
  beforeEach(() => (AppController.gate = undefined));
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await server.stop();
  });
  const visitor = () => new Visitor(origins);
  const sessions = async () => (await server.keys('*{session}:id:*')).length;

  it('case 37: gives on one instance what was set on the other', async () => {
    const ann = visitor();
    await ann.post('/set?cart=car-1');
    expect(await ann.get('/look')).toEqual({ cart: 'car-1', maxAge: 600_000 });
    expect(await ann.get('/look')).toEqual({ cart: 'car-1', maxAge: 600_000 });
  });

  it('case 70: keeps what each of parallel requests has set, and drops what one has dropped', async () => {
    const ann = visitor();
    await ann.post('/set?old=1');
    await Promise.all([...[1, 2, 3, 4].map((i) => ann.post(`/set?k${i}=${i}`)), ann.post('/drop?name=old')]);
    expect(await ann.get('/look')).toEqual({ k1: '1', k2: '2', k3: '3', k4: '4', maxAge: 600_000 });
  });

  it('case 69: refuses what a slow request saves after the log-out', async () => {
    const ann = visitor();
    await ann.post('/set?a=1');
    const before = await sessions();
    let open!: () => void;
    AppController.gate = new Promise<void>((resolve) => (open = resolve));
    const slow = ann.post('/set?late=1').then(
      () => undefined,
      (error: Error) => error.message,
    );
    await server.command('PING');
    await ann.delete('/out');
    open();
    expect(await slow).toMatch(/^401 .*session\.gone/);
    expect(await sessions()).toBe(before - 1);
    expect(await ann.get('/look')).not.toHaveProperty('a');
  });

  it('case 79: signs out everywhere', async () => {
    const [phone, laptop] = [visitor(), visitor()];
    for (const each of [phone, laptop]) {
      await each.post('/set?cart=1');
      const { cookie } = each;
      await each.post('/in?user=ann');
      expect(each.cookie).not.toBe(cookie);
    }
    expect(await phone.get('/look')).toEqual({ userId: 'ann', maxAge: 600_000 });
    expect(await apps[1]!.get(Sessions).endAll('ann')).toBe(2);
    expect(await phone.get('/look')).not.toHaveProperty('userId');
  });

  it('case 74: writes nothing when nothing was changed, although the middleware saves each time', async () => {
    const nobody = visitor();
    const monitor = await server.monitor();
    await nobody.get('/look');
    expect(nobody.cookie).toBeUndefined();
    const ann = visitor();
    await ann.post('/set?a=1');
    await monitor.caughtUp();
    const from = monitor.lines.length;
    for (let i = 0; i < 5; i++) await ann.get('/look');
    await monitor.caughtUp();
    monitor.stop();
    const writes = (lines: readonly string[]) => lines.filter((line) => /"(hset|pexpire|set|unlink|zadd)"/i.test(line));
    expect(writes(monitor.lines.slice(from))).toEqual([]);
    expect(writes(monitor.lines).length).toBeGreaterThan(0);
  });
});
