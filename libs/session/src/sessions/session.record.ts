import { InvalidSessionCallError } from '../session.errors.js';
import type { SessionData } from './session.fields.js';
import type { StoredSession } from './session.store.js';

/** A session as it was read, and what was written since. */
export interface SessionRecord {
  /** The digest of its present id. */
  id: string;
  stored: StoredSession;
  readonly data: SessionData;
  readonly source: 'redis' | 'memory' | 'copy';
  /** It was begun by who holds this: nobody else can have known its id. */
  readonly fresh: boolean;
}

/** Who signs in under which new session. */
export interface NewSession {
  readonly user?: string | undefined;
  readonly label?: string | undefined;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** Texts that are no Unicode have one digest together: their users would share their sessions. @throws InvalidSessionCallError */
export function checkUser(user: string | undefined): void {
  if (user !== undefined && (typeof user !== 'string' || user === '' || !user.isWellFormed())) {
    throw new InvalidSessionCallError('Expected a user', user);
  }
}
