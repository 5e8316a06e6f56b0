import { eventually, RedisServer } from '@roost/testing';
import {
  CodeCooldownError,
  CodeLockedError,
  CodesDisabledError,
  InvalidSessionCallError,
  SessionTooLargeError,
  type SessionOptions,
} from '../index.js';
import { start, type Process } from '../session.testbed.js';
import { Pepper } from './pepper.js';

let server: RedisServer;
beforeAll(async () => (server = await RedisServer.start()));
afterAll(() => server.stop());

const processes: Process[] = [];
afterEach(async () => void (await Promise.all(processes.splice(0).map((each) => each.close()))));
const boot = async (options: SessionOptions = {}, inRedis = true): Promise<Process> => {
  const made = await start(options, inRedis ? { url: server.url, commandTimeoutMs: 5_000 } : {});
  processes.push(made);
  return made;
};
const someone = () => `someone-${Math.random()}@example.org`;
const other = (code: string) => (code === '000000' ? '000001' : '000000');
const pepper = 'a pepper of the test';

describe.each([
  ['Redis', true],
  ['memory', false],
])('one-time codes in %s', (_where, inRedis) => {
  it('are six digits that are good once', async () => {
    const { codes } = (await boot({ pepper }, inRedis)).room;
    const ann = someone();
    const { code, expiresAt } = await codes.issue(ann);
    expect(code).toMatch(/^\d{6}$/);
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(290_000);
    expect(await codes.verify(ann, other(code!))).toEqual({ accepted: false, reason: 'wrong', retryAfterMs: 0 });
    expect(await codes.verify(ann, ` ${code} `)).toEqual({ accepted: true, reason: 'accepted', retryAfterMs: 0 });
    expect(await codes.verify(ann, code!)).toMatchObject({ accepted: false, reason: 'none' });
  });

  it('case 84: are good for one purpose', async () => {
    const { codes } = (await boot({ pepper }, inRedis)).room;
    const ann = someone();
    const { code } = await codes.issue(ann, { purpose: 'login' });
    expect(await codes.verify(ann, code!, { purpose: 'reset' })).toMatchObject({ accepted: false });
    expect(await codes.verify(someone(), code!)).toMatchObject({ accepted: false });
    expect(await codes.verify(ann, code!)).toMatchObject({ accepted: true });
    await expect(codes.issue(ann, { purpose: 'A:b' })).rejects.toThrow(InvalidSessionCallError);
    await expect(codes.issue('')).rejects.toThrow(InvalidSessionCallError);
  });

  it('case 82: are sent once a minute', async () => {
    const { codes } = (await boot({ pepper }, inRedis)).room;
    const ann = someone();
    const { code } = await codes.issue(ann);
    const refused = await codes.issue(ann).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CodeCooldownError);
    expect((refused as CodeCooldownError).retryAfterMs).toBeGreaterThan(55_000);
    expect(await codes.verify(ann, code!)).toMatchObject({ accepted: true });
  });

  it('case 83: lock after twenty wrong guesses, however many were sent', async () => {
    const { codes } = (await boot({ pepper, codes: { cooldown: 0 } }, inRedis)).room;
    const ann = someone();
    for (let sent = 0; sent < 4; sent++) {
      const { code } = await codes.issue(ann);
      for (let i = 0; i < 5; i++) await codes.verify(ann, other(code!));
    }
    await expect(codes.issue(ann)).rejects.toThrow(CodeLockedError);
    expect(await codes.verify(ann, '123456')).toMatchObject({ accepted: false, reason: 'locked' });
    expect((await codes.verify(ann, '123456')).retryAfterMs).toBeGreaterThan(3_500_000);
  });

  it('say of unknown users what they say of known ones, in all that can be seen', async () => {
    const { codes } = (await boot({ pepper, codes: { cooldown: 0, guesses: 7 } }, inRedis)).room;
    const seen = async (known: boolean) => {
      const subject = someone();
      const said: unknown[] = [];
      for (let sent = 0; sent < 3; sent++) {
        said.push(await codes.issue(subject, { known }).then(({ expiresAt }) => typeof expiresAt, String));
        for (let i = 0; i < 6; i++) said.push((await codes.verify(subject, 'wrong')).reason);
      }
      return said;
    };
    expect(await seen(false)).toEqual(await seen(true));
    const nobody = someone();
    expect((await codes.issue(nobody, { known: false })).code).toBeUndefined();
  });

  it('ask the store the same for unknown users', async () => {
    const { codes } = (await boot({ pepper }, inRedis)).room;
    if (!inRedis) return;
    const monitor = await server.monitor();
    const calls = async (known: boolean) => {
      const from = monitor.lines.length;
      const subject = someone();
      await codes.issue(subject, { known });
      await codes.verify(subject, 'wrong');
      await server.command('ECHO', subject); // what comes before it has been told when it is
      await eventually(() => monitor.lines.some((line) => line.includes(subject)), { within: 1_000 });
      const lines = monitor.lines.slice(from).filter((line) => / lua\]|evalsha/.test(line));
      return lines.map((line) => /"([a-z]+)"/i.exec(line)![1]);
    };
    await calls(true); // the scripts are known from now on
    expect(await calls(false)).toEqual(await calls(true));
    monitor.stop();
  });
});

describe('an unknown user', () => {
  it('has no code that would be accepted', async () => {
    const { codes } = (await boot({ pepper, codes: { digits: 4 } })).room;
    const matching = async (known: boolean) => {
      await server.command('FLUSHALL');
      await codes.issue('ann', { known });
      const [key] = await server.keys('*otp:*');
      const hash = await server.command('HGET', key!, 'h');
      const all = Array.from({ length: 10_000 }, (_, i) => String(i).padStart(4, '0'));
      return all.filter((code) => Pepper.of(pepper).hash('code', 'login', 'ann', code) === hash).length;
    };
    expect([await matching(true), await matching(false)]).toEqual([1, 0]);
  });
});

describe('the pepper', () => {
  it('is shared: a code of one process is good in another, and with another pepper in none', async () => {
    const [one, two, three] = [await boot({ pepper }), await boot({ pepper }), await boot({ pepper: `${pepper}!` })];
    const ann = someone();
    const { code } = await one.room.codes.issue(ann);
    expect(await three.room.codes.verify(ann, code!)).toMatchObject({ reason: 'none' });
    expect(await two.room.codes.verify(ann, code!)).toMatchObject({ accepted: true });
  });

  it('is refused to be missing in production, warned of else, and not needed where nothing leaves the process', async () => {
    await expect(boot({ production: true })).rejects.toThrow(/pepper.*openssl/s);
    const { room, logged } = await boot();
    const ann = someone();
    await room.codes.issue(ann);
    await room.codes.verify(ann, '1');
    expect(logged).toEqual([expect.objectContaining({ level: 'warn', event: 'session.no-pepper' })]);
    const alone = await boot({ production: true }, false);
    await alone.room.codes.issue(ann);
    expect(alone.logged).toEqual([]);
    const off = await boot({ production: true, pepper: false });
    await expect(off.room.codes.issue(ann)).rejects.toThrow(CodesDisabledError);
  });
});

describe.each([
  ['Redis', true],
  ['memory', false],
])('one-time tokens in %s', (_where, inRedis) => {
  it('case 86: are redeemed by one of twenty; to look at them takes nothing', async () => {
    const { tokens } = (await boot({}, inRedis)).room;
    const token = await tokens.issue('ann', { data: { to: '/bookings' } });
    const grant = { userId: 'ann', data: { to: '/bookings' } };
    expect([await tokens.peek(token), await tokens.peek(token)]).toEqual([grant, grant]);
    const redeemed = await Promise.all(Array.from({ length: 20 }, () => tokens.redeem(token)));
    expect(redeemed.filter(Boolean)).toEqual([grant]);
    expect(await tokens.peek(token)).toBeUndefined();
  });

  it('are good for one purpose, and nothing else is a token', async () => {
    const { tokens } = (await boot({}, inRedis)).room;
    const token = await tokens.issue('ann', { purpose: 'reset' });
    expect(await tokens.redeem(token)).toBeUndefined();
    for (const wrong of ['', 'x', '*', 'x'.repeat(43), undefined as never, {} as never]) {
      expect([await tokens.peek(wrong), await tokens.redeem(wrong)]).toEqual([undefined, undefined]);
    }
    expect(await tokens.redeem(token, { purpose: 'reset' })).toEqual({ userId: 'ann' });
    await expect(tokens.issue('ann', { data: 'x'.repeat(2_000) })).rejects.toThrow(SessionTooLargeError);
    await expect(tokens.issue('ann', { ttl: '2d' })).rejects.toThrow(InvalidSessionCallError);
    await expect(tokens.issue('')).rejects.toThrow(InvalidSessionCallError);
  });
});

describe('keys and lifetimes', () => {
  it('are those of the guide: 10 minutes for a token, 5 for a code', async () => {
    const { room } = await boot({ pepper });
    await server.command('FLUSHALL');
    await room.tokens.issue('42');
    await room.codes.issue('42');
    const left = async (pattern: string) => {
      const [key, ...rest] = await server.keys(pattern);
      expect(rest).toEqual([]);
      return { ttl: await server.command('TTL', key!), bytes: Number(await server.command('MEMORY', 'USAGE', key!)) };
    };
    const [token, code, budget] = [
      await left('roost:token:*:login'),
      await left('roost:otp:*:login'),
      await left('roost:otp-budget:*'),
    ];
    expect([token.ttl, code.ttl, budget.ttl].map((ttl) => Math.ceil(Number(ttl) / 10) * 10)).toEqual([600, 300, 3_600]);
    for (const { bytes } of [token, code, budget]) expect(bytes).toBeLessThan(300);
  });
});
