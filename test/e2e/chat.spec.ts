import { Sessions } from '@roost/session';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { io, type Socket } from 'socket.io-client';
import { startService, type Service } from './service.js';

interface PresenceEvent {
  readonly joins: readonly { readonly userId: string }[];
  readonly leaves: readonly { readonly userId: string }[];
  readonly state?: true;
}

/** What one person sees on one device. */
class Device {
  readonly here = new Set<string>();
  readonly heard: string[] = [];
  readonly refusals: string[] = [];

  constructor(readonly socket: Socket) {
    socket.on('presence', ({ joins, leaves, state }: PresenceEvent) => {
      if (state) this.here.clear();
      for (const { userId } of joins) this.here.add(userId);
      for (const { userId } of leaves) this.here.delete(userId);
    });
    socket.on('typing', ({ userId, active }) => this.heard.push(`${userId} ${active ? 'types' : 'stops'}`));
    socket.on('message', ({ userId, text }) => this.heard.push(`${userId}: ${text}`));
    socket.on('exception', ({ code }) => this.refusals.push(code));
    socket.on('connect_error', (error) => this.refusals.push((error as { data?: { code?: string } }).data?.code ?? ''));
  }

  get names(): string[] {
    return [...this.here].toSorted();
  }
}

describe('chat', () => {
  let redis: RedisServer;
  let proxy: FaultProxy;
  let instances: Service[];
  const sockets: Socket[] = [];

  beforeAll(async () => {
    redis = await RedisServer.start();
    proxy = await FaultProxy.start({ target: redis });
    const env = { ROOST_BACKEND: 'auto', QUEUE_BACKEND: 'memory', ROOST_RECHECK_MS: '500' };
    instances = await Promise.all([redis, proxy].map(({ url }) => startService({ ...env, REDIS_URL: url })));
    for (const { app } of instances) await app.listen(0, '127.0.0.1');
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
  afterAll(async () => {
    await Promise.all(instances.map(({ app }) => app.close()));
    await proxy.stop();
    await redis.stop();
  });

  const post = (url: string, payload: object) => instances[0]!.app.inject({ method: 'POST', url, payload });
  async function signIn(userId: string): Promise<string> {
    const { code } = (await post('/accounts/codes', { userId })).json();
    const answer = await post('/accounts/sessions', { userId, code });
    return String(answer.headers['set-cookie']).split(';')[0]!;
  }
  async function connect(instance: number, cookie: string): Promise<Device> {
    const url = `${await instances[instance]!.app.getUrl()}/presence`;
    const socket = io(url, { transports: ['websocket'], extraHeaders: { cookie }, reconnection: false });
    sockets.push(socket);
    const device = new Device(socket);
    await eventually(() => socket.connected || device.refusals.length > 0, { within: 2_000, every: 5 });
    return device;
  }
  const soon = (done: () => boolean) => eventually(done, { within: 2_000, every: 5 });

  it('lets nobody in who is not signed in', async () => {
    expect((await connect(0, 'sid=guess')).refusals).toEqual(['presence.not-authenticated']);
  });

  it('shows two people on two instances to each other: coming, typing, talking and going', async () => {
    const ann = await connect(0, await signIn('ann'));
    const ben = await connect(1, await signIn('ben'));
    ann.socket.emit('join', { room: 'lobby' });
    await soon(() => ann.names.length === 1);
    ben.socket.emit('join', { room: 'lobby' });
    await soon(() => ann.names.length === 2 && ben.names.length === 2);
    expect(ben.names).toEqual(['ann', 'ben']);
    ben.socket.emit('typing', { room: 'lobby' });
    await soon(() => ann.heard.length === 1);
    ben.socket.emit('message', { room: 'lobby', text: 'hello' });
    await soon(() => ann.heard.includes('ben: hello'));
    expect(ann.heard).toEqual(['ben types', 'ben stops', 'ben: hello']);
    ben.socket.emit('leave', { room: 'lobby' });
    await soon(() => ann.names.length === 1);
    expect([ann.names, ann.refusals, ben.refusals]).toEqual([['ann'], [], []]);
  });

  it('passes 1 000 messages on and keeps none of their text', async () => {
    const [eva, finn] = [await connect(0, await signIn('eva')), await connect(1, await signIn('finn'))];
    for (const { socket } of [eva, finn]) socket.emit('join', { room: 'studio' });
    await soon(() => eva.names.length === 2 && finn.names.length === 2);
    for (let i = 0; i < 1_000; i++) eva.socket.emit('message', { room: 'studio', text: `needle-${i}` });
    await eventually(() => finn.heard.length === 1_000, { within: 10_000 });
    expect(finn.heard).toEqual(Array.from({ length: 1_000 }, (_, i) => `eva: needle-${i}`));

    await redis.command('CONFIG', 'SET', 'rdbcompression', 'no'); // so that texts stand in dumps as they are
    const dumps = await Promise.all((await redis.keys()).map((key) => redis.command('DUMP', key)));
    const kept = dumps.map(String).join();
    expect([kept.includes('finn'), kept.includes('needle')]).toEqual([true, false]);
  });

  it('ends the sockets of a session that signs out on another instance', async () => {
    const cookie = await signIn('cleo');
    const [phone, other] = [await connect(1, cookie), await connect(1, await signIn('cleo'))];
    await instances[0]!.app.inject({ method: 'DELETE', url: '/accounts/sessions', headers: { cookie } });
    await soon(() => !phone.socket.connected);
    expect(other.socket.connected).toBe(true);
  });

  it('ends them, too, when the instance was cut off from Redis at that moment', async () => {
    const cookie = await signIn('gus');
    const [phone, other] = [await connect(1, cookie), await connect(1, await signIn('gus'))];
    await proxy.refuse();
    await instances[0]!.app.inject({ method: 'DELETE', url: '/accounts/sessions', headers: { cookie } });
    expect(phone.socket.connected).toBe(true);
    await proxy.pass();
    await eventually(() => !phone.socket.connected, { within: 15_000 });
    expect(other.socket.connected).toBe(true);
  });

  it('lets nobody in who signs out during the handshake', async () => {
    await proxy.delay(10);
    const url = `${await instances[1]!.app.getUrl()}/presence`;
    const attempts: Socket[] = [];
    for (let i = 0; i < 12; i++) {
      const cookie = await signIn(`hal-${i}`);
      for (const key of await redis.keys('*{session}:id:*')) {
        await redis.command('HSET', key, 'seen', Date.now() - 120_000); // so that a sign of life is written
      }
      const socket = io(url, { transports: ['websocket'], extraHeaders: { cookie }, reconnection: false });
      sockets.push(socket);
      attempts.push(socket);
      await new Promise((resolve) => setTimeout(resolve, 5 + 4 * i));
      await instances[0]!.app.inject({ method: 'DELETE', url: '/accounts/sessions', headers: { cookie } });
    }
    await proxy.pass();
    await eventually(() => attempts.every(({ connected }) => !connected), { within: 2_000 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(attempts.map(({ connected }) => connected)).toEqual(attempts.map(() => false));
  });

  it('lets nobody in whose session ended before anybody could be told to end the socket', async () => {
    const cookie = await signIn('ida');
    const sessions = instances[1]!.app.get(Sessions);
    const read = sessions.read.bind(sessions);
    jest.spyOn(sessions, 'read').mockImplementationOnce(async (id) => {
      const session = await read(id);
      await instances[0]!.app.inject({ method: 'DELETE', url: '/accounts/sessions', headers: { cookie } });
      await new Promise((resolve) => setTimeout(resolve, 50)); // by then this instance has heard of it
      return session as never;
    });
    const url = `${await instances[1]!.app.getUrl()}/presence`;
    const socket = io(url, { transports: ['websocket'], extraHeaders: { cookie }, reconnection: false });
    sockets.push(socket);
    let ended: string | undefined;
    socket.on('disconnect', (reason) => (ended = reason));
    await soon(() => ended !== undefined);
    expect(ended).toBe('io server disconnect');
  });

  it('lets nobody stay who says neither who he is nor where he goes', async () => {
    const socket = io(await instances[0]!.app.getUrl(), { transports: ['websocket'], reconnection: false });
    sockets.push(socket);
    let refusal = '';
    socket.on('connect_error', ({ message }) => (refusal = message));
    await soon(() => refusal !== '');
    expect([refusal, socket.connected]).toEqual(['There is nothing here. Connect to /presence.', false]);
  });
});
