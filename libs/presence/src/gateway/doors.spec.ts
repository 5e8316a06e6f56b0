import { eventually, RedisServer } from '@roost/testing';
import { ForeignOriginError } from '../presence.errors.js';
import { Admission } from './admission.js';
import { OPEN_GATEWAY, rawSocketOf, Stage, transports, type Client } from './gateway.testbed.js';

const soon = { within: 4_000, every: 5 };

let server: RedisServer;
beforeAll(async () => void (server = await RedisServer.start()));
afterAll(() => server?.stop());

describe.each(Object.keys(transports) as (keyof typeof transports)[])(
  'who comes in over %s, and how long',
  (transport) => {
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

    it('case 60: what is sent at once is handled after it is known who it is', async () => {
      const authenticate = async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return { userId: 'ann' };
      };
      const a = await stage.open({ authenticate });
      const client = stage.connect(a);
      client.send('join', { room: 'lobby' });
      client.send('message', { room: 'lobby', text: 'at once' });
      await eventually(
        () => expect(client.of('message')).toEqual([{ room: 'lobby', userId: 'ann', text: 'at once' }]),
        soon,
      );
      expect(client.users()).toEqual(['ann']);
    });

    it.each(['null', 'an error', 'a bad name', 'an end that has come'])(
      'case 61: %s refuses the socket',
      async (how) => {
        const authenticate = async () => {
          if (how === 'an error') throw new Error('not for clients');
          if (how === 'a bad name') return { userId: '\x1f' };
          return how === 'null' ? null : { userId: 'ann', expiresAt: Date.now() - 1 };
        };
        const a = await stage.open({ authenticate });
        const client = stage.connect(a, 'ann');
        client.send('join', { room: 'lobby' });
        await eventually(() => expect(client.ended).toBeDefined(), soon);
        if (transport === 'ws') expect(client.ended).toBe(4401);
        else expect(client.ended).toMatchObject({ data: { code: expect.stringMatching(/^presence\./) } });
        expect(JSON.stringify([client.told, `${String(client.ended)}`])).not.toContain('not for clients');
        expect(client.open).toBe(false);
        expect(await a.presence.count('lobby')).toBe(0);
        expect(a.room.node.members.size).toBe(0);
      },
    );

    it('lets pages in only from the host they connect to, or from origins that are named', async () => {
      const a = await stage.open();
      const b = await stage.open({ origins: ['https://app.example.org'] });
      const own = stage.connect(a, 'ann', { origin: `http://127.0.0.1:${a.port}` });
      const named = stage.connect(b, 'ann', { origin: 'https://app.example.org' });
      const foreign = [
        stage.connect(a, 'ann', { origin: 'https://evil.example.org' }),
        stage.connect(a, 'ann', { origin: 'null' }),
        stage.connect(b, 'ann', { origin: `http://127.0.0.1:${b.port}` }),
      ];
      await eventually(() => expect([own.open, named.open]).toEqual([true, true]), soon);
      await eventually(
        () => expect(foreign.map(({ ended }) => ended instanceof Error)).toEqual([true, true, true]),
        soon,
      );
      expect(foreign.map(({ open }) => open)).toEqual([false, false, false]);
    });

    it('lets nobody in from nowhere who does not say where to', () => {
      const admission = new Admission(OPEN_GATEWAY);
      for (const origin of ['null', 'file://', 'nonsense']) {
        expect(() => admission.checkOrigin({ headers: { origin } })).toThrow(ForeignOriginError);
      }
      expect(() => admission.checkOrigin({ headers: {} })).not.toThrow(); // no page
    });

    it('case 62: the socket ends with the right to be connected', async () => {
      const expiresAt = Date.now() + 250;
      const a = await stage.open({ authenticate: () => ({ userId: 'ann', expiresAt: new Date(expiresAt) }) });
      const ann = await joined(stage.connect(a));
      await eventually(() => expect(ann.ended).toBeDefined(), soon);
      expect(Date.now() - expiresAt).toBeGreaterThanOrEqual(0);
      expect(Date.now() - expiresAt).toBeLessThan(500);
      if (transport === 'ws') expect(ann.ended).toBe(4401);
      const again = stage.connect(a);
      await eventually(() => expect(again.ended).toBeDefined(), soon);
      expect(again.open).toBe(false);
    });

    it('closes a socket that says more than can be handled', async () => {
      const authorize = () => new Promise<boolean>(() => undefined);
      const a = await stage.open({ authorize, maxWaiting: 10 });
      const ann = stage.connect(a, 'ann');
      for (let i = 0; i < 20; i++) ann.send('join', { room: `room-${i}` });
      await eventually(() => expect(ann.ended).toBeDefined(), soon);
      expect(a.room.node.members.size).toBeLessThanOrEqual(1);
    });

    it('case 63: who gives no sign of life is ended after two pings, and gone `goneAfter` after the last', async () => {
      const a = await stage.open({ ping: 100 });
      const ann = await joined(stage.connect(a, 'ann'));
      const ben = await joined(stage.connect(a, 'ben'));
      await eventually(() => expect(ann.users()).toEqual(['ann', 'ben']), soon);
      const raw = rawSocketOf(ben);
      raw.pause();
      const pausedAt = performance.now();
      await eventually(async () => expect(await a.presence.devices('lobby')).toHaveLength(1), soon);
      expect(performance.now() - pausedAt).toBeLessThan(600);
      expect(ann.list('leaves')).toEqual([]);
      await eventually(() => expect(ann.list('leaves')).toEqual(['ben']), soon);
      const goneAfter = performance.now() - pausedAt;
      expect(goneAfter).toBeGreaterThan(450);
      expect(goneAfter).toBeLessThan(1_500);
      raw.resume();
    });
  },
);
