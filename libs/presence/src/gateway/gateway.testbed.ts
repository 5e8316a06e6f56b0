import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import type { RedisModuleOptions } from '@roost/redis';
import type { AddressInfo } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { PresenceOptions } from '../presence.options.js';
import { PresenceRoom } from '../presence.room.js';
import { presenceModules, quietLogger, QUICK } from '../presence.testbed.js';
import type { PresenceService } from '../presence.service.js';
import type { Handshake, Identity, PresenceGatewayOptions } from './gateway.options.js';
import { PresenceGateway } from './presence.gateway.js';

@WebSocketGateway({ path: '/presence' })
class WsPresenceGateway extends PresenceGateway {}

/** Who says `user` in the header is that user; rooms that begin with `secret` are for nobody. */
export const OPEN_GATEWAY: PresenceGatewayOptions = {
  authenticate: ({ headers }: Handshake): Identity | null => {
    const user = headers['x-user'];
    return typeof user === 'string' ? { userId: user } : null;
  },
  authorize: (_identity, room) => !room.startsWith('secret'),
};

export interface GatewayApp {
  readonly app: INestApplication;
  readonly port: number;
  readonly presence: PresenceService;
  readonly room: PresenceRoom;
  close(): Promise<void>;
}

interface Told {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A client of either library. */
export abstract class Client {
  readonly told: Told[] = [];
  /** Why it was closed: a code of `ws`, or what Socket.IO says. */
  ended: unknown;

  abstract send(event: string, data: unknown): void;
  abstract close(): void;
  abstract get open(): boolean;

  of(event: string): Record<string, unknown>[] {
    return this.told.filter((each) => each.event === event).map(({ data }) => data);
  }

  /** Who is in a room, by all that this client was told. */
  users(room = 'lobby'): string[] {
    const users = new Set<string>();
    for (const event of this.of('presence')) {
      if (event['room'] !== room) continue;
      if (event['state'] === true) users.clear();
      for (const { userId } of event['joins'] as { userId: string }[]) users.add(userId);
      for (const { userId } of event['leaves'] as { userId: string }[]) users.delete(userId);
    }
    return [...users].sort();
  }

  list(what: 'joins' | 'leaves'): string[] {
    const changes = this.of('presence').filter(({ state }) => state !== true);
    return changes.flatMap((event) => (event[what] as { userId: string }[]).map(({ userId }) => userId));
  }
}

class SocketIoClient extends Client {
  constructor(readonly socket: Socket) {
    super();
    socket.onAny((event: string, data: Record<string, unknown>) => this.told.push({ event, data }));
    socket.on('connect_error', (error) => (this.ended = error));
    socket.on('disconnect', (reason) => (this.ended = reason));
  }

  send(event: string, data: unknown): void {
    this.socket.emit(event, data);
  }

  close(): void {
    this.socket.disconnect();
  }

  get open(): boolean {
    return this.socket.connected;
  }
}

class WsClient extends Client {
  readonly #early: string[] = [];

  constructor(readonly socket: WebSocket) {
    super();
    socket.on('message', (raw: Buffer) => this.told.push(JSON.parse(raw.toString()) as Told));
    socket.on('close', (code) => (this.ended ??= code));
    socket.on('error', (error) => (this.ended = error));
    socket.on('open', () => this.#early.splice(0).forEach((text) => socket.send(text)));
  }

  send(event: string, data: unknown): void {
    const text = JSON.stringify({ event, data });
    if (this.socket.readyState === this.socket.CONNECTING) this.#early.push(text);
    else this.socket.send(text);
  }

  close(): void {
    this.socket.close();
  }

  get open(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }
}

/** How each library is served, and connected to. */
export const transports = {
  'Socket.IO': {
    gateway: PresenceGateway as Type<PresenceGateway>,
    adapter: (app: INestApplication) => new IoAdapter(app),
    connect: (port: number, headers: Record<string, string>): Client => {
      const options = { transports: ['websocket'], forceNew: true, reconnection: false, extraHeaders: headers };
      return new SocketIoClient(io(`http://127.0.0.1:${port}/presence`, options));
    },
  },
  ws: {
    gateway: WsPresenceGateway as Type<PresenceGateway>,
    adapter: (app: INestApplication) => new WsAdapter(app),
    connect: (port: number, headers: Record<string, string>): Client =>
      new WsClient(new WebSocket(`ws://127.0.0.1:${port}/presence`, { headers })),
  },
};

/** Applications with sockets, on Fastify or (`ws`) on Express, and their clients, which are all closed together. */
export class Stage {
  readonly apps: GatewayApp[] = [];
  readonly #clients: Client[] = [];

  constructor(
    readonly transport: keyof typeof transports,
    private readonly redis: () => RedisModuleOptions,
  ) {}

  async open(
    gateway: Partial<PresenceGatewayOptions> = {},
    options: PresenceOptions = {},
    extended?: Type<PresenceGateway>,
  ): Promise<GatewayApp> {
    const { gateway: asItIs, adapter } = transports[this.transport];
    class App {}
    const imports = presenceModules(this.redis(), { ...QUICK, ...options, gateway: { ...OPEN_GATEWAY, ...gateway } });
    const module = { module: App, imports, providers: [extended ?? asItIs] };
    const quiet = { logger: quietLogger(), abortOnError: false };
    const app: INestApplication =
      this.transport === 'ws'
        ? await NestFactory.create(module, quiet)
        : await NestFactory.create(module, new FastifyAdapter(), quiet);
    app.useWebSocketAdapter(adapter(app));
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const room = app.get(PresenceRoom);
    await room.node.beat();
    const opened = { app, port, room, presence: room.service, close: () => app.close() };
    this.apps.push(opened);
    return opened;
  }

  connect({ port }: GatewayApp, user?: string, headers: Record<string, string> = {}): Client {
    const client = transports[this.transport].connect(port, {
      ...(user !== undefined && { 'x-user': user }),
      ...headers,
    });
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await Promise.all(this.apps.splice(0).map((app) => app.close()));
  }
}

/** The TCP connection under a client. */
export function rawSocketOf(client: Client): { pause(): void; resume(): void } {
  const { socket } = client as unknown as { socket: WebSocket & { io?: { engine: { transport: { ws: WebSocket } } } } };
  const ws = (socket.io?.engine.transport.ws ?? socket) as WebSocket & { _socket: { pause(): void; resume(): void } };
  return ws._socket;
}
