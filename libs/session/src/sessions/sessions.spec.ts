import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  InvalidSessionCallError,
  SessionGoneError,
  SessionTooLargeError,
  UnstorableValueError,
  type SessionData,
  type SessionEnded,
  type SessionOptions,
} from '../index.js';
import { start, type Process } from '../session.testbed.js';
import type { SessionShelf } from './session.shelf.js';

/** What sessions stand on: to come between two of its steps. */
const shelfOf = (sessions: unknown) => (sessions as { readonly shelf: SessionShelf }).shelf;

let server: RedisServer;
beforeAll(async () => (server = await RedisServer.start()));
afterAll(() => server.stop());

const processes: Process[] = [];
afterEach(async () => void (await Promise.all(processes.splice(0).map((each) => each.close()))));
const boot = async (options: SessionOptions = {}, url: string | undefined = server.url): Promise<Process> => {
  const made = await start(options, url === '' ? {} : { url, commandTimeoutMs: 5_000 });
  processes.push(made);
  return made;
};
const sessionsOf = async (options?: SessionOptions, url?: string) => (await boot(options, url)).room.sessions;
const user = () => `user-${Math.random()}`;

describe.each([
  ['Redis', undefined],
  ['memory', ''],
])('sessions in %s', (_where, url) => {
  it('begin, are read and end', async () => {
    const sessions = await sessionsOf({}, url);
    const session = await sessions.start({ user: 'ann', data: { cart: ['car-1'] }, label: 'a phone' });
    expect(Buffer.from(session.id, 'base64url')).toHaveLength(32);
    const read = await sessions.read<{ cart: string[] }>(session.id);
    expect(read).toMatchObject({ user: 'ann', handle: session.handle, data: { cart: ['car-1'] } });
    expect(read!.endsAt.getTime() - read!.startedAt.getTime()).toBe(7 * 86_400_000);
    expect(await sessions.end(session.id)).toBe(true);
    expect(await sessions.read(session.id)).toBeUndefined();
    expect(await sessions.end(session.id)).toBe(false);
  });

  it('are nobody’s under no id, an empty, a long or a strange one', async () => {
    const sessions = await sessionsOf({}, url);
    for (const id of [undefined, '', 'x'.repeat(10_000), '*', '__proto__', '\ud800']) {
      expect(await sessions.read(id)).toBeUndefined();
      expect(await sessions.end(id)).toBe(false);
    }
  });

  it('are nobody’s under what is no text, and have a label that is one', async () => {
    const sessions = await sessionsOf({}, url);
    for (const id of [null, 5, {}, ['a']] as unknown as string[]) {
      expect([await sessions.read(id), await sessions.end(id)]).toEqual([undefined, false]);
    }
    await expect(sessions.start({ label: 5 as never })).rejects.toThrow(InvalidSessionCallError);
    await expect(sessions.start({ data: { '\ud800': 1 } })).rejects.toThrow(UnstorableValueError);
  });

  it('are none when they end, and are found when they get another id, between a read and its sign of life', async () => {
    const sessions = await sessionsOf({ touchEvery: 1 }, url);
    for (const [between, found] of [
      [(id: string) => sessions.end(id), false],
      [async (id: string) => sessions.rotate((await sessions.read(id))!), true],
    ] as const) {
      const { id } = await sessions.start({ user: 'ann' });
      await sleep(5);
      const touch = jest.spyOn(shelfOf(sessions), 'touch').mockImplementationOnce(async (...asked) => {
        touch.mockRestore();
        await between(id);
        return shelfOf(sessions).touch(...asked);
      });
      expect((await sessions.read(id)) !== undefined).toBe(found);
    }
  });

  it('case 70: keep what each of four holders changed', async () => {
    const sessions = await sessionsOf({}, url);
    const { id } = await sessions.start({ data: { old: 1 } });
    const holders = await Promise.all([1, 2, 3, 4].map(() => sessions.read(id)));
    holders.forEach((each, i) => (each!.data[`k${i}`] = i));
    delete holders[0]!.data['old'];
    await Promise.all(holders.map((each) => sessions.save(each!)));
    expect((await sessions.read(id))!.data).toEqual({ k0: 0, k1: 1, k2: 2, k3: 3 });
  });

  it('case 69: are not brought back by a save after the end', async () => {
    const sessions = await sessionsOf({}, url);
    const session = await sessions.start<SessionData>({ data: {} });
    await sessions.end(session.id);
    session.data['late'] = true;
    await expect(sessions.save(session)).rejects.toThrow(SessionGoneError);
    await expect(sessions.rotate(session)).rejects.toThrow(SessionGoneError);
    expect(await sessions.read(session.id)).toBeUndefined();
  });

  it('case 72: get another id when somebody signs in; the old one shows what was before, then nothing', async () => {
    const sessions = await sessionsOf({ rotationGrace: 60 }, url);
    const session = await sessions.start<SessionData>({ data: { cart: 1 } });
    const { id, handle } = session;
    await sessions.rotate(session, { user: 'ann' });
    expect(session).toMatchObject({ user: 'ann', handle });
    expect(session.id).not.toBe(id);
    session.data['secret'] = 1;
    await sessions.save(session);
    const planted = await sessions.read(id);
    expect(planted).toMatchObject({ user: undefined, data: { cart: 1 } });
    planted!.data['cart'] = 2;
    await expect(sessions.save(planted!)).rejects.toThrow(SessionGoneError);
    expect((await sessions.read(session.id))!.data).toEqual({ cart: 1, secret: 1 });
    await eventually(async () => expect(await sessions.read(id)).toBeUndefined(), { within: 2_000 });
  });

  it('case 72: lead from the old id to the same session when nobody else signs in', async () => {
    const sessions = await sessionsOf({ rotationGrace: 60 }, url);
    const session = await sessions.start({ user: 'ann' });
    const { id } = session;
    await sessions.rotate(session);
    const late = (await sessions.read(id))!;
    late.data['late'] = 1;
    await sessions.save(late);
    expect((await sessions.read(session.id))!.data).toEqual({ late: 1 });
    await eventually(async () => expect(await sessions.read(id)).toBeUndefined(), { within: 2_000 });
    const again = session.id;
    await sessions.rotate(session);
    expect(await sessions.end(again)).toBe(true);
    expect(await sessions.read(session.id)).toBeUndefined();
  });

  it('case 72: are saved by requests that read them before a rotation, and answer under every id within its grace', async () => {
    const sessions = await sessionsOf({}, url);
    const first = await sessions.start({ user: 'ann', data: { a: 1 } });
    const [slow, quick] = [(await sessions.read(first.id))!, (await sessions.read(first.id))!];
    await sessions.rotate(quick);
    const second = quick.id;
    await sessions.rotate(quick);
    slow.data['cart'] = [1];
    await sessions.save(slow);
    for (const id of [first.id, second, quick.id]) {
      expect(await sessions.read(id)).toMatchObject({ id, user: 'ann', data: { a: 1, cart: [1] } });
    }
    slow.data['cart'] = [2];
    await sessions.end(quick.id);
    await expect(sessions.save(slow)).rejects.toThrow(SessionGoneError);
  });

  it('sign out by a rotation, which the old id does not survive', async () => {
    const sessions = await sessionsOf({}, url);
    const session = await sessions.start({ user: 'ann', data: { theme: 'dark' } });
    const { id } = session;
    await sessions.rotate(session, { user: undefined });
    expect(await sessions.read(id)).toBeUndefined();
    expect(await sessions.read(session.id)).toMatchObject({ user: undefined, data: { theme: 'dark' } });
  });

  it('case 79: end everywhere, and listeners are told of each', async () => {
    const sessions = await sessionsOf({}, url);
    const [ann, bob] = [user(), user()];
    const ended: SessionEnded[] = [];
    const stop = sessions.onEnded((each) => void ended.push(each));
    const of = await Promise.all([1, 2, 3, 4].map((i) => sessions.start({ user: ann, label: `device ${i}` })));
    const other = await sessions.start({ user: bob });
    const labels = (await sessions.list(ann)).map(({ label }) => label);
    expect(new Set(labels)).toEqual(new Set([1, 2, 3, 4].map((i) => `device ${i}`)));
    expect(await sessions.endAll(ann, { except: of[0]! })).toBe(3);
    expect(await Promise.all(of.map(async ({ id }) => (await sessions.read(id)) !== undefined))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(await sessions.read(other.id)).toBeDefined();
    await eventually(() => expect(ended).toHaveLength(3), { within: 2_000 });
    expect(ended[0]).toMatchObject({ user: ann, reason: 'everywhere' });
    expect(await sessions.endOne(ann, other.handle)).toBe(false);
    expect(await sessions.endOne(ann, of[0]!.handle)).toBe(true);
    expect(await sessions.list(ann)).toEqual([]);
    stop();
  });

  it('end everywhere while they get other ids', async () => {
    const sessions = await sessionsOf({}, url);
    const ann = user();
    const of = await Promise.all([1, 2, 3].map(() => sessions.start({ user: ann })));
    const rotating = of.map(async (session) => {
      for (let i = 0; i < 20; i++) await sessions.rotate(session).catch(() => undefined);
    });
    await Promise.all([sessions.endAll(ann), ...rotating]);
    expect(await sessions.list(ann)).toEqual([]);
    expect(await Promise.all(of.map(({ id }) => sessions.read(id)))).toEqual([undefined, undefined, undefined]);
  });

  it('are only so many of one user: the oldest ends', async () => {
    const sessions = await sessionsOf({ maxPerUser: 2 }, url);
    const ann = user();
    const first = await sessions.start({ user: ann });
    await sessions.start({ user: ann });
    const third = await sessions.start();
    await sessions.rotate(third, { user: ann });
    const handles = (await sessions.list(ann)).map(({ handle }) => handle);
    expect(handles).toHaveLength(2);
    expect(handles).not.toContain(first.handle);
    expect(await sessions.read(first.id)).toBeUndefined();
  });

  it('hold JSON of a bounded size', async () => {
    const sessions = await sessionsOf({ maxBytes: 1_000 }, url);
    const session = await sessions.start<SessionData>({ data: { a: 'x'.repeat(900) } });
    session.data['b'] = 'x'.repeat(100);
    await expect(sessions.save(session)).rejects.toThrow(SessionTooLargeError);
    session.data['b'] = 1n;
    await expect(sessions.save(session)).rejects.toThrow(UnstorableValueError);
    await expect(sessions.start({ data: { a: 'é'.repeat(900) } })).rejects.toThrow(SessionTooLargeError);
    for (const wrong of ['', 'a\ud800']) {
      await expect(sessions.start({ user: wrong })).rejects.toThrow(InvalidSessionCallError);
      await expect(sessions.rotate(session, { user: wrong })).rejects.toThrow(InvalidSessionCallError);
    }
    session.data['b'] = undefined;
    await sessions.save(session);
  });

  it('show their id in no JSON and no inspection', async () => {
    const sessions = await sessionsOf({}, url);
    const session = await sessions.start({ data: { a: 1 } });
    expect(`${JSON.stringify(session)} ${inspect(session, { depth: 9, showHidden: true })}`).not.toContain(session.id);
  });

  it('are written only to live on once in a while', async () => {
    const { room, redis } = await boot({ lifetime: { idle: '30m', absolute: '8h' }, touchEvery: '1m' }, url);
    const { id } = await room.sessions.start();
    const touches = async () =>
      (await redis.metrics.registry.metrics()).match(/writes_total\{verb="touch",outcome="done"\} (\d+)/)?.[1];
    const session = await room.sessions.read(id);
    await room.sessions.save(session!);
    expect(await touches()).toBeUndefined();
    if (url === '') return; // whose clock no test sets
    for (const key of await server.keys('*id:*')) await server.command('HINCRBY', key, 'seen', -60_000);
    await room.sessions.read(id);
    await room.sessions.read(id);
    expect(await touches()).toBe('1');
  });
});

describe('sessions of two processes', () => {
  it('are the same, and their ends are heard by both', async () => {
    const [one, two] = [await sessionsOf(), await sessionsOf()];
    const ended: SessionEnded[] = [];
    two.onEnded(() => {
      throw new Error('not mine');
    });
    two.onEnded((each) => void ended.push(each));
    const session = await one.start({ user: 'ann' });
    expect(await two.read(session.id)).toMatchObject({ user: 'ann' });
    await one.end(session.id);
    expect(await two.read(session.id)).toBeUndefined();
    await eventually(() => expect(ended).toEqual([{ handle: session.handle, user: 'ann', reason: 'ended' }]), {
      within: 2_000,
    });
  });

  it('case 75: are none, and counted, where somebody else has written', async () => {
    const { room, redis } = await boot();
    const ids = await Promise.all([1, 2, 3].map(async () => (await room.sessions.start({ data: { a: 1 } })).id));
    const { digest } = await import('@roost/redis');
    const [broken, string, foreign] = ids.map((id) => `roost:{session}:id:${digest(id)}`);
    await server.command('HSET', broken!, '.a', '{bad');
    await server.command('SET', string!, '{bad', 'EX', 60);
    await server.command('DEL', foreign!);
    await server.command('HSET', foreign!, 'x', '1');
    for (const id of ids) expect(await room.sessions.read(id)).toBeUndefined();
    expect(await redis.metrics.registry.metrics()).toContain('roost_session_reads_total{result="corrupt"} 3');
    await server.command('DEL', foreign!);
  });

  it('case 75: are begun and ended where somebody else has written, of whatever type', async () => {
    await server.command('FLUSHALL');
    const sessions = await sessionsOf();
    const session = await sessions.start({ user: 'zoe' });
    const [key] = await server.keys('*{session}:id:*');
    const [list] = await server.keys('*{session}:user:*');
    for (const name of [key!, list!]) {
      await server.command('DEL', name);
      await server.command('RPUSH', name, 'theirs');
    }
    session.data['a'] = 1;
    await expect(sessions.save(session)).rejects.toThrow(SessionGoneError);
    await expect(sessions.rotate(session)).rejects.toThrow(SessionGoneError);
    expect(await sessions.end(session.id)).toBe(true);
    const next = await sessions.start({ user: 'zoe' });
    expect((await sessions.list('zoe')).map(({ handle }) => handle)).toEqual([next.handle]);
    expect(await sessions.endAll('zoe')).toBe(1);
  });

  it('take no more than they should of Redis', async () => {
    const { room } = await boot();
    const bytes = async (pattern: string) => {
      const [key] = await server.keys(pattern);
      return Number(await server.command('MEMORY', 'USAGE', key!, 'SAMPLES', 0));
    };
    await server.command('FLUSHALL');
    const session = await room.sessions.start({ user: 'ann', data: { cart: 'x'.repeat(512) } });
    expect(await bytes('*id:*')).toBeLessThan(1_300);
    expect(await bytes('*user:*')).toBeLessThan(300);
    await room.sessions.end(session.id);
    expect(await bytes('*ended:*')).toBeLessThan(150);
  });
});
