import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { HealthRegistry, Metrics, RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { promisify } from 'node:util';
import { inspect } from 'node:util';
import { Flags, OneTimeCodes, OneTimeTokens, SessionModule, Sessions, SessionStores } from './index.js';

const PEPPER = 'S3CRET-pepper-of-the-test';

/** Every value and every name in a Redis. */
async function dump(server: RedisServer): Promise<string> {
  const parts: unknown[] = [];
  for (const key of await server.keys()) {
    const type = await server.command('TYPE', key);
    const read = { string: ['GET', key], hash: ['HGETALL', key], zset: ['ZRANGE', key, 0, -1, 'WITHSCORES'] }[
      String(type)
    ];
    parts.push(key, await server.command(...(read ?? ['DUMP', key])));
  }
  return JSON.stringify(parts);
}

it('case 85: no code, token, session id or pepper is in Redis, logs, traces, metrics, health or errors', async () => {
  const server = await RedisServer.start();
  const shown: unknown[] = [];
  const show = (message: unknown) => void shown.push(message);
  subscribe('roost:redis:command', show);
  const log = (level: 'log' | 'warn' | 'error') =>
    jest.spyOn(Logger.prototype, level).mockImplementation((...args: unknown[]) => void shown.push(args));
  const spies = (['log', 'warn', 'error'] as const).map(log);
  const imports = [
    RedisModule.forRoot({ url: server.url }),
    SessionModule.forRoot({ pepper: PEPPER, codes: { cooldown: 0 } }),
  ];
  const app = (await Test.createTestingModule({ imports }).compile()).createNestApplication();
  await app.init();
  const monitor = await server.monitor();
  const [sessions, codes, tokens, flags] = [
    app.get(Sessions),
    app.get(OneTimeCodes),
    app.get(OneTimeTokens),
    app.get(Flags),
  ];
  const store = app.get(SessionStores).create();
  const errors: unknown[] = [];
  const attempt = async (call: () => unknown) => {
    try {
      shown.push(await call());
    } catch (error) {
      errors.push(error);
    }
  };
  sessions.onEnded(show);

  // Ten digits, so that none of them is found by chance in a time or a digest.
  const secrets: string[] = [PEPPER];
  const ids: string[] = [];
  for (const user of [undefined, 'ann', 'ann', 'bob']) {
    const session = await sessions.start({ ...(user && { user }), data: { cart: [1] }, label: 'a phone' });
    ids.push(session.id);
    if (user === 'bob') {
      await sessions.rotate(session);
      ids.push(session.id);
      await attempt(() => sessions.save(session));
    }
  }
  const sid = 'sid-of-a-middleware-S3CRET';
  const sess = { cookie: {}, a: 1 };
  const set = promisify(store.set.bind(store) as (id: string, session: object, reply: () => void) => void);
  await set(sid, sess);
  await attempt(() => set(sid, { ...sess, big: 'x'.repeat(20_000) }));
  const { code } = await codes.issue('ann@example.org');
  await attempt(() => codes.verify('ann@example.org', '000-000-wrong'));
  const used = await codes.issue('bob@example.org');
  await attempt(() => codes.verify('bob@example.org', used.code!));
  for (let i = 0; i < 9; i++) await codes.issue('ann@example.org', { purpose: 'reset' });
  await attempt(() => codes.issue('ann@example.org', { purpose: 'reset' }));
  const [token, redeemed] = [await tokens.issue('ann', { data: 1 }), await tokens.issue('ann')];
  await attempt(() => tokens.redeem(redeemed));
  await flags.set('ann', 'otp_valid');

  secrets.push(...ids, sid, token, redeemed);
  const inRedis = [await dump(server)];
  await attempt(() => sessions.list('ann'));
  await attempt(() => sessions.endAll('ann'));
  inRedis.push(await dump(server));
  await server.kill();
  await attempt(() => sessions.read(ids[0]));
  await attempt(() => sessions.end(ids[0]));
  await attempt(() => codes.verify('ann@example.org', code!));
  await attempt(() => tokens.redeem(token));
  await attempt(() => set(sid, { ...sess, a: 2 }));
  expect(errors.length).toBeGreaterThanOrEqual(5);

  const texts = [
    ...inRedis,
    monitor.lines.join('\n'),
    await app.get(Metrics).registry.metrics(),
    inspect([shown, errors, app.get(HealthRegistry).reports(), app.get(Sessions)], { depth: 12, showHidden: true }),
    JSON.stringify([shown, errors]),
  ];
  expect(texts.map((text) => text.length > 50)).not.toContain(false);
  const found = secrets.filter((secret) => texts.some((text) => text.includes(secret)));
  expect(found).toEqual([]);
  // A code of six digits may be a part of a time; as a value of its own it would stand alone.
  for (const each of [code!, used.code!])
    for (const text of texts) expect(text).not.toMatch(new RegExp(`(?<![\\d.])${each}(?!\\d)`));
  // What is personal in who a code is for, neither.
  for (const text of inRedis) expect(text).not.toContain('example.org');

  for (const spy of spies) spy.mockRestore();
  unsubscribe('roost:redis:command', show);
  monitor.stop();
  await app.close();
  await server.stop();
});
