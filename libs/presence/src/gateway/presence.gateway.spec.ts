import { SubscribeMessage } from '@nestjs/websockets';
import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { logged } from '../presence.testbed.js';
import { Stage, transports, type Client } from './gateway.testbed.js';

const soon = { within: 4_000, every: 5 };

let server: RedisServer;
beforeAll(async () => void (server = await RedisServer.start()));
afterAll(() => server?.stop());

describe.each(Object.keys(transports) as (keyof typeof transports)[])('the gateway over %s', (transport) => {
  const stage = new Stage(transport, () => ({ url: server.url }));
  afterEach(async () => {
    await stage.close();
    await server.command('FLUSHALL');
  });

  async function joined(client: Client, room = 'lobby'): Promise<Client> {
    client.send('join', { room });
    await eventually(() => expect(client.of('presence').some((event) => event['room'] === room)).toBe(true), soon);
    return client;
  }

  it('case 49, 50: two people in two instances see each other come, type, talk and go', async () => {
    const [a, b] = [await stage.open(), await stage.open()];
    const ann = await joined(stage.connect(a, 'ann'));
    expect(ann.of('presence')).toEqual([
      { room: 'lobby', state: true, since: 0, version: expect.any(Number), joins: [{ userId: 'ann' }], leaves: [] },
    ]);
    const ben = await joined(stage.connect(b, 'ben'));
    expect(ben.users()).toEqual(['ann', 'ben']);
    const tablet = await joined(stage.connect(b, 'ben'));
    await eventually(() => expect(ann.users()).toEqual(['ann', 'ben']), soon);
    expect(ann.list('joins')).toEqual(['ben']);

    ben.send('typing', { room: 'lobby' });
    await eventually(() => expect(ann.of('typing')).toEqual([{ room: 'lobby', userId: 'ben', active: true }]), soon);
    ben.send('message', { room: 'lobby', text: 'Grüße 👋' });
    const said = { room: 'lobby', userId: 'ben', text: 'Grüße 👋' };
    for (const each of [ann, ben, tablet]) await eventually(() => expect(each.of('message')).toEqual([said]), soon);
    expect(ann.of('typing').at(-1)).toEqual({ room: 'lobby', userId: 'ben', active: false });
    expect(ben.of('typing')).toEqual([]);

    ben.send('leave', { room: 'lobby' });
    tablet.close();
    await eventually(() => expect(ann.list('leaves')).toEqual(['ben']), soon);
    expect(ann.list('joins')).toEqual(['ben']);
    expect([ann.told, ben.told].flat().filter(({ event }) => event === 'exception')).toEqual([]);
  });

  it('case 53: a reload is nothing to others', async () => {
    const a = await stage.open();
    const [ann, before] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(a, 'ben'))];
    before.close();
    await eventually(async () => expect(await a.presence.devices('lobby')).toHaveLength(1), soon);
    await joined(stage.connect(a, 'ben'));
    expect([ann.list('joins'), ann.list('leaves')]).toEqual([['ben'], []]);
    expect([...(await a.presence.online(['ben']))]).toEqual(['ben']);
  });

  it('handles what came before somebody went, in order', async () => {
    let slow = false;
    const limit = () => !slow || new Promise<boolean>((resolve) => setTimeout(resolve, 50, true));
    const a = await stage.open({ limit }, { goneAfter: 5_000 });
    const [ann, ben] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(a, 'ben'))];
    slow = true;
    ben.send('message', { room: 'lobby', text: 'bye' });
    ben.send('leave', { room: 'lobby' });
    ben.send('join', { room: 'hall' });
    await sleep(20); // Socket.IO itself drops events that arrive together with the end
    ben.close();
    await eventually(() => expect(ann.list('leaves')).toEqual(['ben']), soon);
    expect(ann.of('message')).toMatchObject([{ text: 'bye' }]);
    await sleep(50);
    expect(await a.presence.count('hall')).toBe(0);
  });

  it('lets nobody stay whose last words nobody handles', async () => {
    let stuck = false;
    const limit = () => (stuck ? new Promise<boolean>(() => {}) : true);
    const a = await stage.open({ limit }, { goneAfter: 1_500 });
    const [ann, ben] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(a, 'ben'))];
    stuck = true;
    ben.send('message', { room: 'lobby', text: 'bye' });
    ben.close();
    await eventually(() => expect(ann.list('leaves')).toEqual(['ben']), soon);
  });

  it('case 59: of many keystrokes the first and the end are told, and nothing is kept', async () => {
    const [a, b] = [await stage.open(), await stage.open()];
    const [ann, ben] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(b, 'ben'))];
    const keys = await server.keys();
    const until = performance.now() + 500;
    let lastAt = 0;
    for (let i = 0; i < 50 && performance.now() < until; i++) {
      ben.send('typing', { room: 'lobby' });
      lastAt = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await eventually(() => expect(ann.of('typing')).toHaveLength(2), soon);
    expect(performance.now() - lastAt).toBeGreaterThan(190);
    expect(ann.of('typing').map(({ active }) => active)).toEqual([true, false]);
    expect(await server.keys()).toEqual(keys);

    ben.send('typing', { room: 'lobby' });
    await eventually(() => expect(ann.of('typing')).toHaveLength(3), soon);
    const cat = await joined(stage.connect(a, 'cat'));
    expect(cat.of('typing')).toEqual([{ room: 'lobby', userId: 'ben', active: true }]);
    ben.close();
    await eventually(() => expect(ann.of('typing')).toHaveLength(4), { within: 150, every: 5 });
  });

  it('relays 1 000 messages and keeps none of their text', async () => {
    const [a, b] = [await stage.open(), await stage.open()];
    const [ann, ben] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(b, 'ben'))];
    const size = await server.command('DBSIZE');
    const told = await server.monitor();
    for (let i = 0; i < 1_000; i++) {
      ann.send('message', { room: 'lobby', text: `needle-${i}` });
      if (i % 50 === 49) await eventually(() => expect(ben.of('message')).toHaveLength(i + 1), soon);
    }
    expect(ben.of('message').map(({ text }) => text)).toEqual(Array.from({ length: 1_000 }, (_, i) => `needle-${i}`));
    expect(await server.command('DBSIZE')).toBe(size);
    const dumps = await Promise.all(
      (await server.keys()).map(async (key) => String(await server.command('DUMP', key))),
    );
    expect(dumps.join()).not.toContain('needle');
    await eventually(() => expect(told.lines.filter((line) => line.includes('needle-999'))).toHaveLength(1), soon);
    told.stop();
    expect(told.lines.filter((line) => line.includes('needle') && !/"publish"/i.test(line))).toEqual([]);
  });

  it('answers what it cannot do with an exception that has a code, and goes on', async () => {
    const odd = Object.assign(new Error('An odd room.'), { code: 'odd.room', httpStatus: 409 });
    const authorize = (_: unknown, room: string) => {
      if (room === 'odd') throw odd;
      if (room === 'broken') throw new TypeError('inside');
      return room !== 'secret';
    };
    const a = await stage.open({ authorize, maxRooms: 2, maxTextLength: 10 });
    const ann = await joined(stage.connect(a, 'ann'));
    const bad: [string, unknown, string][] = [
      ['join', { room: 'secret' }, 'presence.room-forbidden'],
      ['join', { room: 'odd' }, 'odd.room'],
      ['join', { room: 'broken' }, 'presence.failed'],
      ['join', { room: 'a\x1fb' }, 'presence.invalid-name'],
      ['join', { room: 7 }, 'presence.invalid-name'],
      ['join', null, 'presence.invalid-event'],
      ['join', 'lobby', 'presence.invalid-event'],
      ['message', { room: 'other', text: 'x' }, 'presence.not-in-room'],
      ['typing', { room: 'other' }, 'presence.not-in-room'],
      ['message', { room: 'lobby', text: 'x'.repeat(11) }, 'presence.invalid-event'],
      ['message', { room: 'lobby' }, 'presence.invalid-event'],
    ];
    for (const [event, body] of bad) ann.send(event, body);
    ann.send('leave', { room: 'never joined' });
    await joined(ann, '__proto__');
    ann.send('join', { room: 'third' });
    await eventually(() => expect(ann.of('exception')).toHaveLength(bad.length + 1), soon);
    expect(ann.of('exception').map(({ code }) => code)).toEqual([
      ...bad.map(([, , code]) => code),
      'presence.too-many-rooms',
    ]);
    expect(JSON.stringify(ann.told)).not.toContain('inside');
    expect(logged.some((line) => line.includes('inside'))).toBe(true);
    expect(ann.users('__proto__')).toEqual(['ann']);
    ann.send('message', { room: 'lobby', text: 'still' });
    await eventually(() => expect(ann.of('message')).toHaveLength(1), soon);
  });

  it('can be extended by events of its own', async () => {
    class Waving extends transports[transport].gateway {
      @SubscribeMessage('wave')
      async onWave(socket: object, { room }: { room: string }) {
        await this.say(socket, room, 'wave', { from: this.identityOf(socket)!.userId });
      }
    }
    const [a, b] = [await stage.open({}, {}, Waving), await stage.open({}, {}, Waving)];
    const [ann, ben] = [await joined(stage.connect(a, 'ann')), await joined(stage.connect(b, 'ben'))];
    ann.send('wave', { room: 'lobby' });
    for (const each of [ann, ben]) await eventually(() => expect(each.of('wave')).toEqual([{ from: 'ann' }]), soon);
    ben.send('wave', { room: 'elsewhere' });
    await eventually(() => expect(ben.of('exception')).toHaveLength(1), soon);
  });

  it('asks for a limit before each event', async () => {
    const asked: unknown[] = [];
    let left = 2;
    const limit = async (event: unknown) => asked.push(event) > 0 && left-- > 0;
    const a = await stage.open({ limit });
    const ann = await joined(stage.connect(a, 'ann'));
    for (let i = 0; i < 3; i++) ann.send('message', { room: 'lobby', text: `${i}` });
    await eventually(() => expect(ann.of('exception')).toHaveLength(2), soon);
    expect(ann.of('exception')[0]).toMatchObject({ code: 'presence.too-many-events', event: 'message', room: 'lobby' });
    expect(ann.of('message')).toHaveLength(1);
    expect(asked[0]).toEqual({
      event: 'join',
      userId: 'ann',
      socketId: expect.any(String),
      address: expect.any(String),
    });
  });

  it('case 65: an instance that closes leaves nobody', async () => {
    const a = await stage.open();
    const people = Array.from({ length: 100 }, (_, i) => stage.connect(a, `user-${i}`));
    await Promise.all(people.map((each) => joined(each)));
    expect(await a.presence.count('lobby')).toBe(100);
    await stage.apps.pop()!.close();
    expect(await server.command('HKEYS', 'roost:presence:users:{room%3Alobby}')).toEqual(['']);
    const online = await server.keys('*presence:users:*online*');
    for (const key of online) expect(await server.command('HLEN', key)).toBe(0);
    expect(await server.keys('*owned*')).toEqual([]);
  });
});
