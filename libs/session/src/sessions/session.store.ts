/** A session as a store keeps it: it knows digests of ids, and values as text. Times are the store's. */
export interface StoredSession {
  /** The same through every rotation, and no secret: what sockets and device lists know a session by. */
  readonly handle: string;
  readonly user: string | undefined;
  readonly label: string | undefined;
  /** One more with each save. */
  readonly version: number;
  readonly idleMs: number;
  readonly startedAtMs: number;
  readonly seenAtMs: number;
  readonly endsAtMs: number;
  /** When it was read, by the store's clock. */
  readonly nowMs: number;
  /** How long it lives on without a request. */
  readonly leftMs: number;
  /** It was signed in under another id: it may be read for a moment, as it was before. */
  readonly retired: boolean;
  /** JSON by the name of what is stored. */
  readonly fields: ReadonlyMap<string, string>;
}

/** What stands under an id; `moved`: the session has the id `to` now. */
export type SessionFound =
  | { readonly state: 'live'; readonly session: StoredSession }
  | { readonly state: 'moved'; readonly to: string }
  | { readonly state: 'none' | 'corrupt' };

/** A session that is to begin. */
export interface SessionDraft {
  readonly handle: string;
  readonly user?: string | undefined;
  readonly label?: string | undefined;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** `clash`: the id is taken; `gone`: it was a session's that was ended. */
export type SessionCreated =
  | { readonly state: 'created'; /** How many sessions the user has now. */ readonly ofUser: number }
  | { readonly state: 'clash' }
  | { readonly state: 'gone' };

/** What is different now. */
export interface SessionChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
  /** What the session may hold afterwards, with what others have written since it was read. @default as much as it likes */
  readonly maxBytes?: number;
  /** Whose it is from now on, when that is different. */
  readonly user?: { readonly from: string | undefined; readonly to: string | undefined } | undefined;
}

/** A session that gets another id, and perhaps a user. */
export interface SessionRotation {
  readonly next: string;
  /** Whose it was. */
  readonly from: string | undefined;
  /** Whose it is from now on. */
  readonly user: string | undefined;
  readonly idleMs: number;
  /** Begins anew with another user. */
  readonly absoluteMs: number;
  /** How long the former id is answered. */
  readonly graceMs: number;
}

/** Why a session ended. */
export type SessionEndReason = 'ended' | 'everywhere' | 'replaced' | 'limit';

/** What all processes are told when a session ends or gets another id. */
export interface SessionNews {
  /** The digest of the id that is no longer good. */
  readonly id: string;
  readonly handle: string;
  readonly user: string | undefined;
  readonly reason: SessionEndReason | 'rotated';
}

/**
 * The verbs of sessions. Every call is atomic and settles within a deadline. What is gone is never brought back: only
 * `create` begins a session, and never under an id whose session was ended.
 */
export abstract class SessionStore {
  abstract readonly name: 'redis' | 'memory';

  abstract read(id: string): Promise<SessionFound>;
  abstract create(id: string, draft: SessionDraft): Promise<SessionCreated>;
  /**
   * Writes what is different, and nothing else. Resolves to the new version; to 0 when there is no such session, and to minus
   * the bytes that it would hold when those are too many.
   */
  abstract save(id: string, changes: SessionChanges, idleMs: number): Promise<number>;
  /** Lets it live on. Resolves to the ms that it has now, within its absolute end; to 0 when there is no such session. */
  abstract touch(id: string, idleMs: number): Promise<number>;
  /**
   * Gives it another id. With the same user, the former id leads to it for `graceMs`. When nobody was signed in, the former
   * id shows for `graceMs` what it was before, read-only: who planted the id learns nothing. When somebody else was, the
   * former id ends. Resolves to whether there was such a session under its present id.
   */
  abstract rotate(id: string, rotation: SessionRotation): Promise<boolean>;
  /** Leaves it readable, and nothing else, for `graceMs`. Resolves to whether there was one that could be written. */
  abstract retire(id: string, graceMs: number): Promise<boolean>;
  /** Ends it and tells all processes. `moved` when it has another id by now: ask again. */
  abstract end(id: string, news: SessionNews): Promise<'ended' | 'none' | 'moved'>;

  /** Digests of the ids of a user's sessions, the oldest first; some may have ended. */
  abstract idsOf(user: string): Promise<readonly string[]>;
  /** Takes ids from that list: their sessions have ended by themselves. */
  abstract forget(user: string, ids: readonly string[]): Promise<void>;
  /** Digests of all ids. Looks at every key there is: for operators. */
  abstract ids(): Promise<readonly string[]>;
}
