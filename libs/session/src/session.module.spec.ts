import { Test } from '@nestjs/testing';
import { HealthRegistry, Metrics, RedisModule, type RedisModuleOptions } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import {
  FeatureFlags,
  Flags,
  OneTimeCodes,
  OneTimeTokens,
  SESSION_LIFETIMES,
  SessionModule,
  Sessions,
  SessionStores,
  type SessionOptions,
} from './index.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(closing.splice(0).map((close) => close()))));
async function boot(options: SessionOptions | undefined, redis: RedisModuleOptions = {}) {
  const sessions = options ? SessionModule.forRootAsync({ useFactory: async () => options }) : SessionModule.forRoot();
  const app = (
    await Test.createTestingModule({ imports: [RedisModule.forRoot(redis), sessions] }).compile()
  ).createNestApplication();
  closing.push(() => app.close());
  await app.init();
  return app;
}

describe('SessionModule', () => {
  it('provides everything without options, in this process', async () => {
    const app = await boot(undefined);
    const all = [Sessions, SessionStores, Flags, FeatureFlags, OneTimeCodes, OneTimeTokens];
    expect(all.map((each) => app.get<object>(each).constructor)).toEqual(all);
    const { id } = await app.get(Sessions).start({ user: 'ann' });
    expect(await app.get(Sessions).read(id)).toMatchObject({ user: 'ann', source: 'memory' });
    expect(app.get(HealthRegistry).reports()['sessions']).toMatchObject({ status: 'up', backend: 'memory' });
    expect(await app.get(Metrics).registry.metrics()).toContain('roost_session_copies 0');
  });

  it('fails the boot with every wrong option at once', async () => {
    const wrong = {
      pepper: 'too short',
      lifetime: { idle: '2d', absolute: '1d' },
      outage: 'open',
      maxBytes: 1e6,
      codes: { digits: 3, wrong: 1 },
      features: { x: 101 },
      backend: 'disk',
      unknown: 1,
    };
    const failed = await boot(wrong as unknown as SessionOptions).catch(String);
    expect(failed).toMatch(
      /unknown[^]*backend[^]*lifetime\.idle[^]*maxBytes[^]*outage[^]*pepper[^]*codes\.wrong[^]*codes\.digits[^]*features\.x/,
    );
    expect(failed).not.toContain('too short');
  });

  it.each(['codes', 'features'])('fails the boot when `%s` is no object', async (name) => {
    for (const value of [null, [], 'x']) {
      await expect(boot({ [name]: value } as unknown as SessionOptions)).rejects.toThrow(`Expected \`${name}\``);
    }
  });

  it('fails the boot without the Redis that is required', async () => {
    await expect(boot({ backend: 'redis' })).rejects.toThrow(/required by sessions/);
  });

  it('has the lifetimes of the guides', async () => {
    expect(SESSION_LIFETIMES).toMatchObject({ web: { idle: '24h' }, short: { idle: '1h' } });
    const sessions = (await boot({ lifetime: 'short' })).get(Sessions);
    expect((await sessions.start()).leftMs).toBe(3_600_000);
    expect((await sessions.start({ lifetime: 'web' })).leftMs).toBe(86_400_000);
    await expect(sessions.start({ lifetime: { idle: '2h', absolute: '1h' } })).rejects.toThrow('lifetime.idle');
  });

  it('boots without the Redis that is configured, and closes when it never came', async () => {
    const app = await boot({}, { url: 'redis://127.0.0.1:1' });
    expect(app.get(HealthRegistry).reports()['sessions']).toMatchObject({ status: 'degraded', backend: 'none' });
    await expect(app.get(Sessions).start()).rejects.toMatchObject({ code: 'session.unavailable' });
  });

  it('keeps two applications of one process apart', async () => {
    const server = await RedisServer.start();
    const [one, two] = [
      await boot({}, { url: server.url, keyPrefix: 'one' }),
      await boot({}, { url: server.url, keyPrefix: 'two' }),
    ];
    const { id } = await one.get(Sessions).start();
    expect(await two.get(Sessions).read(id)).toBeUndefined();
    await Promise.all(closing.splice(0).map((close) => close()));
    await server.stop();
  });

  it('case 77: calls back once, and leaves to the caller what a callback throws', async () => {
    const store = (await boot({})).get(SessionStores).create();
    let calls = 0;
    const thrown: unknown[] = [];
    const catching = jest.spyOn(globalThis, 'setImmediate').mockImplementation(((run: () => void) => {
      try {
        run();
      } catch (error) {
        thrown.push(error); // where it would end the process
      }
    }) as never);
    const failing = (): never => {
      calls++;
      throw new Error('of the callback');
    };
    store.get('nobody', failing);
    store.set('somebody', { cookie: {}, a: 1n }, failing);
    await eventually(() => thrown.length === 2, { within: 1_000 });
    catching.mockRestore();
    expect(calls).toBe(2);
  });
});
