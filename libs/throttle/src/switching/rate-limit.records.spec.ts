import { ConsoleLogger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Backend, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { RateLimiter } from '../rate-limiter.service.js';
import { ThrottleModule } from '../throttle.module.js';

describe('a reset while Redis is away', () => {
  let server: RedisServer;
  let app: TestingModule;
  let limiter: RateLimiter;
  let backend: Backend;
  beforeEach(async () => {
    server = await RedisServer.start();
    const imports = [
      RedisModule.forRoot({ url: server.url, recheckMs: 500 }),
      ThrottleModule.forRoot({ policies: { login: { limit: 2, window: '1h', key: 'user' } } }),
    ];
    app = await Test.createTestingModule({ imports })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    await app.init();
    limiter = app.get(RateLimiter);
    backend = app.get(Backend);
    await limiter.consume('login', 'alice', { cost: 2 });
    server.freeze();
    await Promise.all(Array.from({ length: 6 }, () => limiter.consume('login', 'someone')));
    await eventually(() => backend.current === 'memory', { within: 2_000 });
  });
  afterEach(async () => {
    await app.close();
    await server.stop();
  });

  const allowed = async () => (await limiter.peek('login', 'alice')).allowed;

  it('reaches Redis as soon as it is back', async () => {
    expect(await limiter.reset('alice')).toBe(0);
    server.thaw();
    await eventually(() => backend.current === 'redis', { within: 8_000 });
    await eventually(allowed, { within: 1_000 });
  });

  it('reaches Redis at once while traffic ramps up', async () => {
    server.thaw();
    await eventually(() => backend.state().write === 'ramping', { within: 8_000, every: 5 });
    expect(await limiter.reset('alice')).toBe(1);
    await eventually(() => backend.current === 'redis', { within: 8_000 });
    expect(await allowed()).toBe(true);
  });
});
