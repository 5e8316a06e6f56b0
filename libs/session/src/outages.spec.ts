import { eventually, RedisServer } from '@roost/testing';
import { SessionGoneError, SessionUnavailableError, type SessionEnded, type SessionOptions } from './index.js';
import { start, type Process } from './session.testbed.js';

/** What is promised while Redis is lost; nothing takes longer than a command's deadline. */
describe('when Redis is lost', () => {
  let server: RedisServer;
  const processes: Process[] = [];
  beforeEach(async () => (server = await RedisServer.start({ appendonly: true })));
  afterEach(async () => {
    if (server.running) server.thaw();
    await Promise.all(processes.splice(0).map((each) => each.close()));
    await server.stop();
  });
  const boot = async (options: SessionOptions = {}): Promise<Process> => {
    const made = await start(options, { url: server.url, recheckMs: 500 });
    processes.push(made);
    return made;
  };
  const lost = ({ redis }: Process) => eventually(() => redis.backend.current === 'memory', { within: 3_000 });
  const back = async (...all: Process[]) => {
    await server.restart();
    const whole = ({ redis: { backend } }: Process) =>
      (['read', 'write'] as const).every((direction) => backend.choose(direction) === 'redis');
    await eventually(() => all.every(whole), { within: 15_000 });
  };
  const counted = async ({ redis }: Process, line: string) => (await redis.metrics.registry.metrics()).includes(line);

  it('serves what this process has read, for as long as the copy may', async () => {
    const [one, two] = [await boot({ copyFor: '5m' }), await boot()];
    const session = await one.room.sessions.start({ user: 'ann', data: { a: 1 } });
    await one.room.sessions.read(session.id);
    const unread = await two.room.sessions.start({ user: 'bob' });
    await server.kill();
    await lost(one);
    const copy = (await one.room.sessions.read(session.id))!;
    expect(copy).toMatchObject({ user: 'ann', data: { a: 1 }, source: 'copy' });
    expect(await one.room.sessions.read(unread.id)).toBeUndefined();
    expect(await counted(one, 'roost_session_reads_total{result="copy"} 1')).toBe(true);
    expect(one.room.report()).toMatchObject({ status: 'degraded', backend: 'none', copies: 1 });
    copy.data['a'] = 2;
    await expect(one.room.sessions.save(copy)).rejects.toThrow(SessionUnavailableError);
    await expect(one.room.sessions.rotate(copy, { user: 'eve' })).rejects.toThrow(SessionUnavailableError);
    await expect(one.room.sessions.start()).rejects.toMatchObject({ httpStatus: 503, retryAfterMs: 1_000 });
    await expect(one.room.sessions.list('ann')).rejects.toThrow(SessionUnavailableError);
    one.pass(5 * 60_000);
    expect(await one.room.sessions.read(session.id)).toBeUndefined();
    await back(one);
    expect(await one.room.sessions.read(session.id)).toMatchObject({ source: 'redis', data: { a: 1 } });
  });

  it('serves no state that never was, after others have written, too', async () => {
    const [one, two] = [await boot(), await boot()];
    const { id } = await one.room.sessions.start({ user: 'ann', data: { n: 1 } });
    const [a, b] = [(await one.room.sessions.read(id))!, (await two.room.sessions.read(id))!];
    [a.data['a'], b.data['b']] = [1, 1];
    await one.room.sessions.save(a);
    await two.room.sessions.save(b);
    await server.kill();
    await lost(two);
    expect((await one.room.sessions.read(id))?.data).toEqual({ n: 1, a: 1 });
    expect(await two.room.sessions.read(id)).toBeUndefined();
  });

  it('never serves a session that ended before, here or elsewhere', async () => {
    const [one, two] = [await boot(), await boot()];
    const [here, there] = [await one.room.sessions.start(), await one.room.sessions.start({ user: 'ann' })];
    for (const { id } of [here, there]) await one.room.sessions.read(id);
    await one.room.sessions.end(here.id);
    await two.room.sessions.endAll('ann');
    await eventually(() => one.room.report()['copies'] === 0, { within: 2_000 });
    await server.kill();
    for (const { id } of [here, there]) expect(await one.room.sessions.read(id)).toBeUndefined();
  });

  it('ends here what is ended, says that it may live on elsewhere, and tells Redis later', async () => {
    const one = await boot();
    const session = await one.room.sessions.start({ user: 'ann' });
    await one.room.sessions.read(session.id);
    const told: SessionEnded[] = [];
    one.room.sessions.onEnded((ended) => void told.push(ended));
    await server.kill();
    await lost(one);
    await expect(one.room.sessions.end(session.id)).rejects.toThrow(SessionUnavailableError);
    expect(told).toEqual([{ handle: session.handle, user: 'ann', reason: 'ended' }]);
    expect(await one.room.sessions.read(session.id)).toBeUndefined();
    expect(one.room.report()).toMatchObject({ unheardEnds: 1 });
    await back(one);
    await eventually(async () => expect(await server.keys('*{session}:id:*')).toEqual([]), { within: 3_000 });
    await eventually(() => expect(one.room.report()).toMatchObject({ status: 'up', unheardEnds: 0 }), { within: 500 });
  });

  it('ends here what a Redis that only reads does not end, and tells it until it does', async () => {
    const [one, two] = [await boot(), await boot()];
    const session = await one.room.sessions.start({ user: 'ann' });
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', 3);
    await expect(one.room.sessions.end(session.id)).rejects.toThrow(SessionUnavailableError);
    expect(await one.room.sessions.read(session.id)).toBeUndefined();
    session.data['a'] = 1;
    await expect(one.room.sessions.save(session)).rejects.toThrow(SessionGoneError);
    expect(await two.room.sessions.read(session.id)).toMatchObject({ user: 'ann' });
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', 0);
    const gone = async () => (await two.room.sessions.read(session.id)) === undefined;
    await eventually(gone, { within: 3_000 });
    await eventually(() => expect(one.room.report()).toMatchObject({ unheardEnds: 0 }), { within: 500 });
  });

  it('by the other policies serves no copies, and closes one-time codes, tokens and flags by each', async () => {
    const [anonymous, closed] = [await boot({ outage: 'anonymous' }), await boot({ outage: 'closed' })];
    const { room } = closed;
    const { id } = await room.sessions.start();
    for (const each of [anonymous, closed]) await each.room.sessions.read(id);
    const token = await room.tokens.issue('ann');
    const { code } = await room.codes.issue('ann');
    await server.kill();
    expect(await anonymous.room.sessions.read(id)).toBeUndefined();
    const calls = [
      room.sessions.read(id),
      room.codes.issue('ann'),
      room.codes.verify('ann', code!),
      room.tokens.issue('ann'),
      room.tokens.peek(token),
      room.tokens.redeem(token),
      room.flags.set('ann', 'otp_valid'),
      room.flags.get('ann', 'otp_valid'),
      room.flags.consume('ann', 'otp_valid'),
      room.features.override('new', 'ann', true),
    ];
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes).toEqual(
      calls.map(() => ({
        status: 'rejected',
        reason: expect.objectContaining({ code: 'session.unavailable', httpStatus: 503 }) as unknown,
      })),
    );
  });

  it('tells who holds something open that ends may have gone unheard', async () => {
    const one = await boot();
    let gaps = 0;
    one.room.sessions.onGap(() => void gaps++);
    await server.kill();
    await lost(one);
    expect(gaps).toBe(0);
    await back(one);
    await eventually(() => gaps === 1, { within: 5_000 });
  });

  it('answers within the deadline when Redis stands still', async () => {
    const one = await boot();
    const { id } = await one.room.sessions.start({ user: 'ann' });
    await one.room.sessions.read(id);
    server.freeze();
    const startedAt = performance.now();
    const [read, ended, code] = await Promise.allSettled([
      one.room.sessions.read(id),
      one.room.sessions.start(),
      one.room.codes.issue('ann'),
    ]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(read).toMatchObject({ status: 'fulfilled', value: { user: 'ann', source: 'copy' } });
    expect([ended, code].map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(ended).toMatchObject({ reason: { outcomeUnknown: true } });
  });

  it('case 87: a feature that is on for a time is off afterwards on all processes', async () => {
    const [one, two] = [await boot(), await boot()];
    const on = (each: Process) => each.room.features.isOn('new', 'ann');
    expect([await on(one), await on(two)]).toEqual([false, false]);
    await one.room.features.override('new', 'ann', true, { ttl: '30s' });
    await one.room.features.rollOut('other', 100);
    await eventually(() => on(two), { within: 500 });
    expect(await two.room.features.isOn('other', 'ann')).toBe(true);
    await server.kill();
    for (const each of [one, two]) {
      each.pass(15_000);
      expect(await on(each)).toBe(true);
      each.pass(15_000);
      expect(await on(each)).toBe(false);
      // What was known last holds, although nobody can say whether it still is so.
      each.pass(60_000);
      expect(await each.room.features.explain('other', 'ann')).toEqual({ on: true, because: 'rollout', stale: true });
      expect(await counted(each, 'roost_session_stale_features_total 0')).toBe(false);
    }
    expect(await two.room.features.isOn('never asked for', 'ann')).toBe(false);
  });
});
