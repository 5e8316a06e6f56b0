import type { Identity, PresenceOptions } from '@roost/presence';
import type { Sessions } from '@roost/session';
import type { RateLimiter } from '@roost/throttle';
import type { Config } from '../../common/config/index.js';
import { sessionIdIn } from '../accounts/index.js';

/** Who is behind a socket of the chat. */
export interface Visitor extends Identity {
  /** The handle of the session that it connected with: it ends with it. */
  readonly session: string;
}

/** Whoever is signed in may be in every room, and say so many things in a minute. */
export function presenceOptions(config: Config, sessions: Sessions, limiter: RateLimiter): PresenceOptions {
  return {
    backend: config.PRESENCE_BACKEND,
    gateway: {
      authenticate: async ({ headers }): Promise<Visitor | null> => {
        if (config.ROLE === 'worker') return null; // it has no web clients
        const session = await sessions.read(sessionIdIn(headers));
        if (session?.user === undefined) return null;
        return { userId: session.user, session: session.handle, expiresAt: session.endsAt };
      },
      authorize: () => true,
      limit: async ({ userId }) => (await limiter.consume('chat', userId)).allowed,
      maxWaiting: 2_000, // a client may say a lot at once; the limit is about how much in all
    },
  };
}
