import type { OnApplicationShutdown } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import { PresenceGateway } from '@roost/presence';
import { Sessions } from '@roost/session';
import type { Visitor } from './chat.presence.js';
import { SessionReview } from './session-review.js';

/** As much of Socket.IO as is needed to close what nobody serves. */
interface Namespace {
  readonly server: { of(name: string): { use(admit: (socket: object, next: (refusal: Error) => void) => void): void } };
}

/** `WS /presence`: who is in a room, who types, and messages that are passed on and never kept. */
@WebSocketGateway({ namespace: 'presence' })
export class ChatGateway extends PresenceGateway implements OnApplicationShutdown {
  readonly #review: SessionReview;

  constructor(sessions: Sessions) {
    super();
    // Who signs out, here or elsewhere, is gone from the rooms as well.
    const visitors = () => this.identities as readonly Visitor[];
    this.#review = new SessionReview(sessions, visitors, (handles) => this.#end(handles));
  }

  override afterInit(namespace: Namespace): void {
    super.afterInit(namespace);
    // Anybody may open a socket: what is not for this namespace would stay without having said who it is.
    namespace.server.of('/').use((_socket, next) => next(new Error('There is nothing here. Connect to /presence.')));
  }

  override handleConnection(socket: object, request?: unknown): void {
    super.handleConnection(socket, request);
    const visitor = this.identityOf(socket) as Visitor | undefined;
    if (visitor === undefined || !this.#review.endedLately(visitor.session)) return;
    setImmediate(() => this.#end(new Set([visitor.session]))); // Nest listens for the end of a socket only after this
  }

  onApplicationShutdown(): void {
    this.#review.close();
  }

  #end(handles: ReadonlySet<string>): void {
    this.end(({ session }: Visitor) => handles.has(session));
  }
}
