import type { SessionChanges, SessionEndReason, SessionFound, SessionStore } from './session.store.js';

/** `spared`: the one that is to stay; `moved`: it got other ids faster than it could be ended. */
export type SessionEndOutcome = 'ended' | 'none' | 'moved' | 'spared';

/** Ids that a session may get while it is being ended. */
const MAX_HOPS = 32;

/** What an id leads to, and under which id that is: each of those it had is good for its own grace. */
export async function follow(
  store: SessionStore,
  id: string,
): Promise<{ readonly at: string; readonly found: SessionFound }> {
  let at = id;
  let found = await store.read(at);
  for (let hop = 0; hop < MAX_HOPS && found.state === 'moved'; hop++) {
    at = found.to;
    found = await store.read(at);
  }
  return { at, found };
}

/** Saves where an id leads to: a rotation since it was read must not cost a request what it changed. */
export async function saveFollowing(
  store: SessionStore,
  id: string,
  changes: SessionChanges,
  idleMs: number,
): Promise<{ readonly at: string; readonly version: number }> {
  let at = id;
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const version = await store.save(at, changes, idleMs);
    if (version !== 0) return { at, version };
    const found = await store.read(at);
    if (found.state !== 'moved') break;
    at = found.to;
  }
  return { at, version: 0 };
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
