import type { OnApplicationShutdown } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import { PresenceGateway } from '@roost/presence';
import { Sessions } from '@roost/session';
import type { Visitor } from './chat.presence.js';

/** `WS /presence`: who is in a room, who types, and messages that are passed on and never kept. */
@WebSocketGateway({ namespace: 'presence' })
export class ChatGateway extends PresenceGateway implements OnApplicationShutdown {
  readonly #stop: () => void;

  constructor(sessions: Sessions) {
    super();
    // Who signs out, here or elsewhere, is gone from the rooms as well.
    this.#stop = sessions.onEnded(({ handle }) => void this.end(({ session }: Visitor) => session === handle));
  }

  onApplicationShutdown(): void {
    this.#stop();
  }
}
