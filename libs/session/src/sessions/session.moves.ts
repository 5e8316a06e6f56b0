import type { SessionEndReason, SessionFound, SessionStore } from './session.store.js';

/** `spared`: the one that is to stay; `moved`: it got other ids faster than it could be ended. */
export type SessionEndOutcome = 'ended' | 'none' | 'moved' | 'spared';

/** Ids that a session may get while it is being ended. */
const MAX_HOPS = 32;

/** What an id leads to, and under which id that is: over one move, as who moved on since is found no more. */
export async function follow(
  store: SessionStore,
  id: string,
): Promise<{ readonly at: string; readonly found: SessionFound }> {
  const found = await store.read(id);
  return found.state === 'moved' ? { at: found.to, found: await store.read(found.to) } : { at: id, found };
}

/** Ends what an id leads to, wherever it moves meanwhile: a rotation at the same moment must not save it from its end. */
export async function endFollowing(
  store: SessionStore,
  first: string,
  options: {
    readonly reason: SessionEndReason;
    /** The handle of the session that is to stay. */
    readonly except: string | undefined;
    /** Told of each id that is no longer good. */
    readonly ended: (id: string) => void;
  },
): Promise<SessionEndOutcome> {
  const { reason, except, ended } = options;
  let id = first;
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const found = await store.read(id);
    if (found.state === 'none') return 'none';
    if (found.state === 'moved') {
      id = found.to;
      continue;
    }
    const { handle, user } = found.state === 'live' ? found.session : { handle: '', user: undefined };
    if (except !== undefined && handle === except) return 'spared';
    const outcome = await store.end(id, { id, handle, user, reason });
    ended(id);
    if (outcome !== 'moved') return outcome;
  }
  return 'moved';
}
