import { eventually, FaultProxy, makeCertificates, RedisServer, type Certificates } from '@roost/testing';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { defineKey } from './index.js';
import { connect, type Connected } from './testing.js';

const SECRET = 'S3CRET-marked';
const key = defineKey('test:secret', { ttl: '1m', maxBytes: 100 }).of({});

/** Everything that a connection ever shows to anyone. */
async function shown(redis: Connected, ...errors: unknown[]): Promise<string> {
  const { logged, backend, metrics } = redis;
  return inspect([logged, backend.state(), await metrics.registry.metrics(), errors], { depth: 10, showHidden: true });
}

const writes = (redis: Connected) =>
  Promise.all(
    Array.from({ length: 6 }, () =>
      redis.commands.write('SET', key, 'x', 'PX', 9_000).catch((error: unknown) => error),
    ),
  );

describe('credentials', () => {
  let server: RedisServer;
  beforeEach(async () => (server = await RedisServer.start({ password: SECRET })));
  afterEach(() => server.stop());

  it('log in, with a password file as well', async () => {
    const file = join(server.dir, 'password');
    await writeFile(file, `${SECRET}\n`);
    const redis = await connect({ url: `redis://127.0.0.1:${server.port}`, passwordFile: file });
    expect(redis.backend.current).toBe('redis');
    await redis.close();
  });

  it('are read again at every reconnect, so that a rotated password needs no restart', async () => {
    const file = join(server.dir, 'password');
    await writeFile(file, SECRET);
    const redis = await connect({ url: `redis://127.0.0.1:${server.port}`, passwordFile: file, recheckMs: 1_000 });
    await server.command('CONFIG', 'SET', 'requirepass', `${SECRET}-2`);
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => redis.backend.current === 'memory', { within: 5_000 });
    expect(redis.backend.reason).toBe('auth');
    await writeFile(file, `${SECRET}-2`);
    await eventually(() => redis.backend.current === 'redis', { within: 10_000 });
    expect(await shown(redis)).not.toContain(SECRET);
    await redis.close();
  });

  it('are shown nowhere by a server that repeats what it does not know', async () => {
    const old = await RedisServer.start({ args: ['--rename-command', 'HELLO', '', '--rename-command', 'AUTH', ''] });
    const options = { url: `redis://:${SECRET}@127.0.0.1:${old.port}`, production: true, bootWaitMs: 100 };
    const redis = await connect(options);
    expect(redis.backend.current).toBe('memory');
    expect(await shown(redis, await writes(redis))).not.toContain(SECRET);
    await redis.close();
    const required = await connect({ ...options, backend: 'redis' }).catch((error: unknown) => error);
    expect(inspect(required)).toMatch(/Redis is required/);
    expect(inspect(required)).not.toContain(SECRET);
    await old.stop();
  });

  it('stay the last known ones while their file cannot be read, and nothing crashes', async () => {
    const file = join(server.dir, 'password');
    await writeFile(file, SECRET);
    const redis = await connect({ url: `redis://127.0.0.1:${server.port}`, passwordFile: file, recheckMs: 1_000 });
    await rm(file);
    await mkdir(file); // reading it is EISDIR from now on
    await server.kill();
    await eventually(() => redis.backend.current === 'memory', { within: 5_000 });
    await server.restart();
    await eventually(() => redis.backend.current === 'redis', { within: 10_000 });
    await redis.close();
    await expect(connect({ url: server.url, passwordFile: file })).rejects.toThrow(/REDIS_PASSWORD_FILE.*EISDIR/);
  });

  it('are shown nowhere: wrong, refused, frozen, cut, dead', async () => {
    const proxy = await FaultProxy.start({ target: { port: server.port } });
    const wrong = await connect({ url: `redis://:${SECRET}-wrong@127.0.0.1:${server.port}`, production: true });
    expect(wrong.backend).toMatchObject({ current: 'memory', reason: 'auth' });
    expect(await shown(wrong, await writes(wrong))).not.toContain(SECRET);
    await wrong.close();

    const user = await connect({ url: `redis://nobody:${SECRET}@127.0.0.1:${server.port}` });
    expect(await shown(user, await writes(user))).not.toContain(SECRET);
    await user.close();

    const redis = await connect({ url: `redis://:${SECRET}@127.0.0.1:${proxy.port}` });
    await proxy.dropReplies({ thenReset: true });
    const cut = await writes(redis);
    await proxy.pass();
    await eventually(() => redis.commands.read('PING'), { within: 5_000 });
    server.freeze();
    const frozen = await writes(redis);
    await server.kill();
    const dead = await writes(redis);
    expect(await shown(redis, cut, frozen, dead)).not.toContain(SECRET);
    await redis.close();
    await proxy.stop();
  });
});

describe('TLS', () => {
  let certificates: Certificates;
  let server: RedisServer;
  beforeAll(async () => {
    certificates = await makeCertificates();
    server = await RedisServer.start({ tls: certificates });
  });
  afterAll(async () => {
    await server.stop();
    await certificates.remove();
  });

  it('is used with a certificate that the given authority signed', async () => {
    const redis = await connect({ url: `rediss://localhost:${server.port}`, tls: { ca: certificates.caText } });
    expect(redis.backend.current).toBe('redis');
    await redis.close();
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const redis = await connect({ url: `rediss://localhost:${server.port}` });
    expect(redis.backend).toMatchObject({ current: 'memory', reason: 'unreachable' });
    expect(redis.logged[0]?.message).toMatch(/certificate/);
    await redis.close();
  });
});
