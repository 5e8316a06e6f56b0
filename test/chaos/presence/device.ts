import { setTimeout as sleep } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import type { Told } from './judge.js';
import type { SocketFault } from './plan.js';
import { close, type Hold, type Timeline } from './timeline.js';
import { View, type PresenceEvent } from './view.js';

/** Where a device can connect to. */
export interface Place {
  readonly life: string;
  readonly url: string;
}

export interface DeviceOptions {
  readonly userId: string;
  readonly cookie: string;
  readonly rooms: readonly string[];
  readonly timeline: Timeline;
  /** An instance, as a balancer would choose it. */
  readonly place: () => Place | undefined;
  readonly onTold: (kind: 'join' | 'leave', told: Omit<Told, 'at'>) => void;
  readonly onOdd: (message: string) => void;
}

const AGAIN_MS = 250;
const CONNECT_WITHIN_MS = 2_000;

/** A client of the service that comes back, to whichever instance there is, until it is stopped. */
export class Device {
  readonly views = new Map<string, View>();
  readonly #holds = new Map<string, Hold>();
  #socket: Socket | undefined;
  #backInMs = 0;
  #stopped = false;
  readonly #living: Promise<void>;

  constructor(private readonly options: DeviceOptions) {
    this.#living = this.#live();
  }

  get userId(): string {
    return this.options.userId;
  }

  /** Whether it is connected, and was told who is in each of its rooms, by all instances. */
  get settled(): boolean {
    const whole = [...this.views.values()].every(({ partial }) => !partial);
    return whole && this.options.rooms.every((room) => this.#holds.get(room)?.until === Infinity);
  }

  /** Lets something happen to it, if it is connected. */
  suffer(name: SocketFault, backMs: number): void {
    const socket = this.#socket;
    if (!socket?.connected) return;
    this.#backInMs = backMs;
    if (name === 'leave') return this.#leaveOne(socket, backMs);
    this.#closeAll();
    if (name === 'cut') cut(socket);
    else socket.disconnect();
  }

  async stop(how: SocketFault = 'close'): Promise<void> {
    this.#stopped = true;
    this.suffer(how, 0);
    await this.#living;
  }

  async #live(): Promise<void> {
    while (!this.#stopped) {
      await this.#connectOnce();
      await sleep(this.#stopped ? 0 : this.#backInMs);
      this.#backInMs = 0;
    }
  }

  /** Resolves when the connection has ended, or there was none. */
  async #connectOnce(): Promise<void> {
    const place = this.options.place();
    if (place === undefined) return sleep(AGAIN_MS);
    const socket = io(`${place.url}/presence`, {
      transports: ['websocket'],
      extraHeaders: { cookie: this.options.cookie },
      reconnection: false,
      forceNew: true,
      timeout: CONNECT_WITHIN_MS,
    });
    this.#socket = socket;
    socket.on('presence', (event: PresenceEvent) => this.#take(event, place.life));
    await new Promise<void>((resolve) => {
      // A namespace that does not answer is an instance that stands still.
      const late = setTimeout(() => {
        if (!socket.connected) end();
      }, CONNECT_WITHIN_MS);
      const end = () => {
        clearTimeout(late);
        this.#closeAll();
        this.views.clear();
        socket.off('presence');
        socket.disconnect();
        resolve();
      };
      socket.on('connect', () => {
        for (const room of this.options.rooms) socket.emit('join', { room });
      });
      socket.on('disconnect', end);
      socket.on('connect_error', () => {
        this.#backInMs = AGAIN_MS;
        end();
      });
      if (this.#stopped) end();
    });
  }

  #take(event: PresenceEvent, life: string): void {
    const { room } = event;
    const { userId, timeline, onTold, onOdd } = this.options;
    let view = this.views.get(room);
    if (view === undefined) {
      if (!event.state) return; // it left the room just now
      const of = (message: string) => onOdd(`${userId} at ${life}: ${message}`);
      view = new View((kind, told) => onTold(kind, { ...told, room, by: life }), of);
      this.views.set(room, view);
    }
    view.take(event);
    // Only what was answered to its own `join` shows that it is there: the rest may be what a killed instance had sent.
    const held = this.#holds.get(room);
    if (event.state && held?.until !== Infinity) this.#holds.set(room, timeline.open(userId, room, life));
  }

  #leaveOne(socket: Socket, backMs: number): void {
    const { rooms } = this.options;
    const room = rooms[backMs % rooms.length]!;
    const held = this.#holds.get(room);
    if (held?.until !== Infinity) return;
    close(held, true);
    this.views.delete(room);
    socket.emit('leave', { room });
    setTimeout(() => socket.connected && socket.emit('join', { room }), backMs);
  }

  #closeAll(): void {
    for (const hold of this.#holds.values()) close(hold);
  }
}

/** Destroys the connection, of which the other end is told nothing but a reset. */
function cut(socket: Socket): void {
  const { transport } = socket.io.engine as unknown as {
    transport: { ws?: { _socket?: { resetAndDestroy(): void } } };
  };
  transport.ws?._socket?.resetAndDestroy();
}
