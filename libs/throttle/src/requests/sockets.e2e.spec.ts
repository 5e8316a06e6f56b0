import {
  ConsoleLogger,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import type { AddressInfo } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { decisionOf, type Decision } from '../decision.js';
import { RateLimit } from '../policies/rate-limit.decorator.js';
import { ThrottleModule } from '../throttle.module.js';

const WINDOW = '1h';
const decisions: (Decision | undefined)[] = [];

class NotesDecisions {
  intercept(context: ExecutionContext, next: CallHandler) {
    decisions.push(decisionOf(context.getArgs()));
    return next.handle();
  }
}

@WebSocketGateway()
@UseInterceptors(NotesDecisions)
class ChatGateway {
  @SubscribeMessage('say')
  @RateLimit({ limit: 5, window: WINDOW, key: 'connection', name: 'say' })
  say(@MessageBody() text: string) {
    return { event: 'said', data: text };
  }

  @SubscribeMessage('shout')
  @RateLimit({ limit: 5, window: WINDOW, key: 'ip', name: 'shout' })
  shout(@MessageBody() text: string) {
    return { event: 'said', data: text };
  }

  @SubscribeMessage('vote')
  @RateLimit([
    { limit: 2, window: WINDOW, key: 'user', name: 'vote' },
    { limit: 3, window: WINDOW, key: 'apiKey', name: 'key' },
  ])
  vote(@MessageBody() text: string) {
    return { event: 'said', data: text };
  }

  handleConnection(client: { handshake?: { auth: { token?: string } }; data?: { user?: object } }) {
    const token = client.handshake?.auth.token;
    if (token !== undefined) client.data!.user = { id: token };
  }
}

/** Both guards see one message: it is charged once. */
@WebSocketGateway({ namespace: 'twice' })
@RateLimit({ limit: 9, window: WINDOW, name: 'twice' })
class TwiceGateway {
  @SubscribeMessage('say')
  @RateLimit({ limit: 2, window: WINDOW, name: 'twice.say', per: 'call' })
  say() {
    return { event: 'said', data: '' };
  }
}

interface Client {
  send(event: string, data: string): void;
  readonly said: string[];
  readonly exceptions: Record<string, unknown>[];
  readonly open: () => boolean;
  close(): void;
}

const transports = {
  'Socket.IO': {
    gateways: [ChatGateway, TwiceGateway],
    adapter: (app: INestApplication) => new IoAdapter(app),
    connect: async (port: number, auth: object = {}, namespace = ''): Promise<Client> => {
      const socket: Socket = io(`http://127.0.0.1:${port}${namespace}`, {
        transports: ['websocket'],
        auth,
        forceNew: true,
      });
      const [said, exceptions]: [string[], Record<string, unknown>[]] = [[], []];
      socket.on('said', (text: string) => said.push(text)).on('exception', (error) => exceptions.push(error as never));
      await new Promise((resolve) => socket.once('connect', () => resolve(undefined)));
      const send = (event: string, data: string) => void socket.emit(event, data);
      return { send, said, exceptions, open: () => socket.connected, close: () => void socket.close() };
    },
  },
  ws: {
    gateways: [ChatGateway],
    adapter: (app: INestApplication) => new WsAdapter(app),
    connect: async (port: number): Promise<Client> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      const [said, exceptions]: [string[], Record<string, unknown>[]] = [[], []];
      socket.on('message', (raw: Buffer) => {
        const { event, data } = JSON.parse(raw.toString()) as { event: string; data: never };
        if (event === 'exception') exceptions.push(data);
        else said.push(data);
      });
      await new Promise((resolve) => socket.once('open', resolve));
      const send = (event: string, data: string) => socket.send(JSON.stringify({ event, data }));
      const open = () => socket.readyState === socket.OPEN;
      return { send, said, exceptions, open, close: () => socket.close() };
    },
  },
};

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server?.stop());

describe.each(Object.keys(transports) as (keyof typeof transports)[])('@RateLimit on messages of %s', (transport) => {
  const { gateways, adapter, connect } = transports[transport];

  describe.each(['memory', 'redis'] as const)('counted in %s', (backend) => {
    let app: INestApplication;
    let port: number;
    const clients: Client[] = [];

    beforeEach(async () => {
      decisions.length = 0;
      await server.command('FLUSHALL');
      const redis = backend === 'redis' ? { url: server.url, commandTimeoutMs: 2_000 } : {};
      const testing = await Test.createTestingModule({
        imports: [RedisModule.forRoot(redis), ThrottleModule.forRoot()],
        providers: gateways,
      })
        .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
        .compile();
      app = testing.createNestApplication();
      app.useWebSocketAdapter(adapter(app));
      await app.listen(0, '127.0.0.1');
      port = (app.getHttpServer().address() as AddressInfo).port;
    });

    afterEach(async () => {
      for (const client of clients.splice(0)) client.close();
      await app.close();
    });

    async function open(auth?: object, namespace?: string): Promise<Client> {
      const client = await connect(port, auth, namespace);
      clients.push(client);
      return client;
    }

    async function sendAll(client: Client, event: string, count: number): Promise<void> {
      const before = client.said.length + client.exceptions.length;
      for (let i = 0; i < count; i++) client.send(event, String(i));
      await eventually(() => expect(client.said.length + client.exceptions.length).toBe(before + count), {
        within: 3_000,
        every: 5,
      });
    }

    it('80: the sixth message of a connection is an exception, the socket stays open, others are unaffected', async () => {
      const [one, two] = [await open(), await open()];
      await sendAll(one, 'say', 6);
      expect(one.said).toHaveLength(5);
      expect(one.exceptions).toEqual([
        {
          status: 'error',
          code: 'throttle.exceeded',
          message: expect.stringContaining('"say" allows 5 per 3600 s'),
          retryAfterMs: expect.any(Number),
          violated: ['say'],
        },
      ]);
      await sendAll(two, 'say', 5);
      expect([two.said.length, two.exceptions.length, one.open(), two.open()]).toEqual([5, 0, true, true]);
      await sendAll(one, 'shout', 1); // the socket still serves
      expect(one.said).toHaveLength(6);
    });

    it('80: a limit by address counts all connections of it', async () => {
      const [one, two] = [await open(), await open()];
      await sendAll(one, 'shout', 4);
      await sendAll(two, 'shout', 2);
      expect([one.said.length, two.said.length, two.exceptions.length]).toEqual([4, 1, 1]);
    });

    it('79: attaches the decision to the message', async () => {
      const client = await open();
      await sendAll(client, 'say', 2);
      expect(decisions.map((decision) => decision?.policies[0]?.remaining)).toEqual([4, 3]);
      expect(decisions[0]!.backend).toBe(backend);
    });

    if (transport === 'ws') return;

    it('43: charges a message once that two guards see', async () => {
      const client = await open({}, '/twice');
      await sendAll(client, 'say', 3);
      expect([client.said.length, client.exceptions.length]).toEqual([2, 1]);
    });

    it('counts the user that the server found and the key of the handshake, not a user whom the client claims', async () => {
      const alice = await open({ token: 'alice', apiKey: 'k1' });
      await sendAll(alice, 'vote', 3);
      expect(alice.exceptions).toEqual([expect.objectContaining({ violated: ['vote'] })]);
      const bob = await open({ token: 'bob', apiKey: 'k1' });
      await sendAll(bob, 'vote', 2);
      expect(bob.exceptions).toEqual([expect.objectContaining({ violated: ['key'] })]);
      const [eve, mallory] = [
        await open({ user: { id: 'e' }, apiKey: 'k2' }),
        await open({ user: { id: 'm' }, apiKey: 'k3' }),
      ];
      await sendAll(eve, 'vote', 2);
      await sendAll(mallory, 'vote', 1);
      expect(mallory.exceptions).toEqual([expect.objectContaining({ violated: ['vote'] })]); // both by their address
    });
  });
});
