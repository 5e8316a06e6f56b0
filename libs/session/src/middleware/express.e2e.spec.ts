import { Controller, Delete, Get, Module, Post, Query, Req, Res } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import session from 'express-session';
import type { AddressInfo } from 'node:net';
import { SessionModule, Sessions, SessionStores } from '../index.js';
import { Visitor } from './visitor.testbed.js';

interface Held {
  userId?: string | null;
  [name: string]: unknown;
}
interface Request {
  session: session.Session & Held;
}

const callback = (run: (done: (error?: unknown) => void) => void) =>
  new Promise<void>((resolve, reject) => run((error) => (error ? reject(error as Error) : resolve())));

@Controller()
class AppController {
  static gate: Promise<void> | undefined;

  @Get('look')
  look(@Req() { session: { cookie, ...data } }: Request) {
    return { ...data, maxAge: cookie.maxAge };
  }

  @Post('set')
  async set(@Req() request: Request, @Query() query: Record<string, string>) {
    Object.assign(request.session, query);
    await AppController.gate;
    return {};
  }

  @Post('in')
  async signIn(@Req() request: Request, @Query('user') userId: string) {
    await callback((done) => request.session.regenerate(done));
    request.session.userId = userId;
    return {};
  }

  @Post('careless')
  async careless(@Req() request: Request) {
    request.session.userId = 'eve';
    await callback((done) => request.session.save(done));
    return {};
  }

  @Delete('out')
  async signOut(@Req() request: Request, @Res({ passthrough: true }) _response: object) {
    await callback((done) => request.session.destroy(done));
    return {};
  }

  @Post('forget')
  async forget(@Req() request: Request) {
    request.session.userId = null;
    await callback((done) => request.session.save(done));
    await callback((done) => request.session.regenerate(done));
    return {};
  }

  @Post('reload')
  async reload(@Req() request: Request) {
    request.session['lost'] = 1;
    await callback((done) => request.session.reload(done));
    request.session['kept'] = 1;
    return {};
  }
}

@Module({ controllers: [AppController] })
class AppModule {}

/** Real applications on a real Redis: two of them, as two processes would be. */
describe('express-session', () => {
  let server: RedisServer;
  const apps: NestExpressApplication[] = [];
  const origins: string[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    for (let i = 0; i < 2; i++) {
      const redis = RedisModule.forRoot({ url: server.url, commandTimeoutMs: 5_000 });
      const lifetime = { idle: '30m', absolute: '8h' } as const;
      const imports = [redis, SessionModule.forRoot({ lifetime, rotationGrace: 200 }), AppModule];
      const app = (await Test.createTestingModule({ imports }).compile()).createNestApplication<NestExpressApplication>(
        {
          logger: false,
        },
      );
      const store = app.get(SessionStores).create<Held>({ user: ({ userId }) => userId ?? undefined });
      const options = { resave: false, saveUninitialized: false, rolling: true, cookie: { maxAge: 600_000 } };
      app.use(session({ ...options, store, secret: 'a secret text' }));
      await app.listen(0, '127.0.0.1');
      apps.push(app);
      origins.push(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`);
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
    await ann.post('/set?cart=car-1&name=%C3%A9');
    expect(await ann.get('/look')).toMatchObject({ cart: 'car-1', name: 'é' });
    const { maxAge } = (await ann.get('/look')) as { maxAge: number };
    expect(maxAge).toBeGreaterThan(590_000);
  });

  it('case 70: keeps what each of parallel requests has set', async () => {
    const ann = visitor();
    await ann.post('/set?old=1');
    await Promise.all([1, 2, 3, 4].map((i) => ann.post(`/set?k${i}=${i}`)));
    expect(await ann.get('/look')).toMatchObject({ old: '1', k1: '1', k2: '2', k3: '3', k4: '4' });
  });

  it('case 69: does not bring back a session that a slow request saves after the log-out', async () => {
    const ann = visitor();
    await ann.post('/set?a=1');
    const before = await sessions();
    let open!: () => void;
    AppController.gate = new Promise<void>((resolve) => (open = resolve));
    const slow = ann.post('/set?late=1').catch((error: unknown) => error);
    await server.command('PING');
    await ann.delete('/out');
    open();
    await slow;
    expect(await sessions()).toBe(before - 1);
    expect(await ann.get('/look')).not.toHaveProperty('a');
  });

  it('case 71: stores nothing under an id that it did not make', async () => {
    const eve = visitor();
    const before = await sessions();
    eve.cookie = 'connect.sid=s%3Aplanted.abc';
    await eve.post('/set?a=1');
    expect(eve.cookie).not.toContain('planted');
    expect(await sessions()).toBe(before + 1);
  });

  it('case 72: signs in under another id; the old one shows what was before, then nothing', async () => {
    const [ann, eve] = [visitor(), visitor()];
    await ann.post('/set?cart=1');
    eve.cookie = ann.cookie;
    await ann.post('/in?user=ann');
    expect(ann.cookie).not.toBe(eve.cookie);
    expect(await ann.get('/look')).toMatchObject({ userId: 'ann' });
    const seen = await eve.get('/look');
    expect(seen).toMatchObject({ cart: '1' });
    expect(seen).not.toHaveProperty('userId');
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < 200 && 'cart' in (await eve.get('/look')); i++);
    expect(await eve.get('/look')).not.toHaveProperty('cart');
  });

  it('refuses a user under the old id', async () => {
    const ann = visitor();
    await ann.post('/set?a=1');
    await expect(ann.post('/careless')).rejects.toThrow('500');
    expect(await ann.get('/look')).not.toHaveProperty('userId');
  });

  it('case 79: signs out everywhere, and forgets who signs out', async () => {
    const [phone, laptop, bob] = [visitor(), visitor(), visitor()];
    for (const each of [phone, laptop]) await each.post('/in?user=ann-79');
    await bob.post('/in?user=bob-79');
    const core = apps[0]!.get(Sessions);
    expect(await core.list('ann-79')).toHaveLength(2);
    await phone.post('/forget');
    expect(await core.list('ann-79')).toHaveLength(1);
    expect(await core.endAll('ann-79')).toBe(1);
    expect(await laptop.get('/look')).not.toHaveProperty('userId');
    expect(await bob.get('/look')).toMatchObject({ userId: 'bob-79' });
  });

  it('case 74: writes nothing and sets no cookie when nothing was changed', async () => {
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

  it('reloads what is stored', async () => {
    const ann = visitor();
    await ann.post('/set?a=1');
    await ann.post('/reload');
    const seen = await ann.get('/look');
    expect(seen).toMatchObject({ a: '1', kept: 1 });
    expect(seen).not.toHaveProperty('lost');
  });

  it('case 75: takes a session that is broken for none, without an error', async () => {
    const ann = visitor();
    await ann.post('/set?a=1');
    for (const key of await server.keys('*{session}:id:*')) await server.command('HSET', key, '.a', '{bad');
    expect(await ann.get('/look')).not.toHaveProperty('a');
  });
});
