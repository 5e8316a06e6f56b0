import type { RoomViews } from '../watching/room-views.js';
import { SocketRoom } from './socket-room.js';

/** The rooms in which this process has sockets. */
export class SocketRooms {
  readonly #byName = new Map<string, { readonly room: SocketRoom; holds: number }>();

  constructor(
    private readonly views: RoomViews,
    private readonly typingMs: number,
    private readonly onBug: (error: unknown) => void,
  ) {}

  /** Keeps a room watched until `exit` is called as often. */
  enter(name: string): SocketRoom {
    let entry = this.#byName.get(name);
    if (entry === undefined) {
      entry = { room: new SocketRoom(this.views.enter(name), this.typingMs, this.onBug), holds: 0 };
      this.#byName.set(name, entry);
    }
    entry.holds++;
    return entry.room;
  }

  exit({ view }: SocketRoom): void {
    const entry = this.#byName.get(view.room);
    if (entry === undefined || --entry.holds > 0) return;
    this.#byName.delete(view.room);
    entry.room.close();
    this.views.leave(view);
  }
}
