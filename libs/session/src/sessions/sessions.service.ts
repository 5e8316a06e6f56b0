import { digest } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { SessionConfig } from '../session.config.js';
import { InvalidSessionCallError } from '../session.errors.js';
import type { SessionLifetime, SessionLifetimeName } from '../session.options.js';
import { Session } from './session.js';
import type { SessionEnded, SessionEndings } from './session.endings.js';
import { encodeFields, type SessionData } from './session.fields.js';
import type { SessionShelf } from './session.shelf.js';

/** How a session begins. */
export interface StartOptions<Data extends object = SessionData> {
  /** Who is signed in. */
  readonly user?: string;
  readonly data?: Data;
  /** What the device list shows, such as `Firefox on Linux`; up to 200 characters. */
  readonly label?: string;
  /** @default the module's */
  readonly lifetime?: SessionLifetimeName | SessionLifetime;
}

/** One line of a device list. */
export interface SessionSummary {
  readonly handle: string;
  readonly label: string | undefined;
  readonly startedAt: Date;
  /** As exact as `touchEvery`. */
  readonly seenAt: Date;
  readonly endsAt: Date;
}

const MAX_LABEL = 200;
/** No id that this lib made is longer than 43, no other one sensible. */
const MAX_ID = 256;

/**
 * Sessions for programs: no middleware, no cookies. Without Redis they live in this process. While Redis is lost they can
 * only be read, by the outage policy; everything else rejects with `SessionUnavailableError`.
 */
export class Sessions {
  /** @internal Made by `SessionModule`. */
  constructor(
    private readonly shelf: SessionShelf,
    private readonly endings: SessionEndings,
    private readonly config: SessionConfig,
  ) {}

  /**
   * Begins a session.
   * @example const session = await sessions.start({ user: 'ann' }); // session.id is for the cookie
   */
  async start<Data extends object = SessionData>(options: StartOptions<Data> = {}): Promise<Session<Data>> {
    const { user, label } = options;
    if (label !== undefined && typeof label !== 'string') throw new InvalidSessionCallError('Expected a label', label);
    const fields = encodeFields(options.data ?? {}, this.config.maxBytes);
    const life = this.config.lifeOf(options.lifetime);
    const id = newId();
    const record = await this.shelf.create(digest(id), { user, label: label?.slice(0, MAX_LABEL), ...life, fields });
    return new Session<Data>(id, record!); // nobody else has this id
  }

  /** The session with this id, which lives on for it; undefined when there is none. */
  async read<Data extends object = SessionData>(id: string | undefined): Promise<Session<Data> | undefined> {
    if (!isId(id)) return undefined;
    let record = await this.shelf.read(digest(id));
    // One that cannot be touched has ended this very moment, or has got another id.
    if (record && !(await this.shelf.touch(record, record.stored.idleMs))) record = await this.shelf.read(digest(id));
    return record && new Session<Data>(id, record);
  }

  /**
   * Writes what was changed in `data`, value by value; nothing when nothing was.
   * @throws SessionGoneError when it ended meanwhile: it is not brought back.
   */
  async save(session: Session<object>): Promise<void> {
    const fields = encodeFields(session.data, this.config.maxBytes);
    await this.shelf.save(session.record, fields, session.record.stored.idleMs);
  }

  /**
   * Gives the session a new id, and another user if told; unsaved changes of `data` stay unsaved. With the same user the old
   * id leads to the session for `rotationGrace`; when somebody signs in, it only shows for that long what was there before;
   * when the user is another one, or signs out, it ends.
   * @throws SessionGoneError when it ended, or was rotated, meanwhile.
   * @example await sessions.rotate(session, { user: 'ann' }); // signed in: send `session.id` again
   */
  async rotate(session: Session<object>, to: { readonly user?: string | undefined } = {}): Promise<void> {
    const id = newId();
    const user = 'user' in to ? to.user : session.user;
    await this.shelf.rotate(session.record, digest(id), user);
    session.moveTo(id);
  }

  /** Ends it for good, on all processes. Resolves to whether there was one. */
  async end(id: string | undefined): Promise<boolean> {
    if (!isId(id)) return false;
    return this.shelf.end(digest(id), 'ended');
  }

  /** Ends all sessions of a user, save one. Resolves to how many. Sessions that begin meanwhile may be among them. */
  endAll(user: string, { except }: { readonly except?: Session<object> } = {}): Promise<number> {
    return this.shelf.endAll(user, except?.handle);
  }

  /** Ends one session of a user's device list. Resolves to whether there was one. */
  async endOne(user: string, handle: string): Promise<boolean> {
    const found = (await this.shelf.ofUser(user)).find(({ stored }) => stored.handle === handle);
    return found === undefined ? false : this.shelf.end(found.id, 'ended');
  }

  /** The user's sessions, the oldest first. */
  async list(user: string): Promise<readonly SessionSummary[]> {
    return (await this.shelf.ofUser(user)).map(({ stored }) => ({
      handle: stored.handle,
      label: stored.label,
      startedAt: new Date(stored.startedAtMs),
      seenAt: new Date(stored.seenAtMs),
      endsAt: new Date(stored.endsAtMs),
    }));
  }

  /** Calls the listener when a session ended in any process, so that its sockets can be closed. Returns how to stop. */
  onEnded(listener: (ended: SessionEnded) => void): () => void {
    return this.endings.on(listener);
  }

  /**
   * Calls the listener when ends may have gone unheard, as this process was cut off: whoever holds something open looks with
   * {@link list} which sessions are still there. Returns how to stop.
   */
  onGap(listener: () => void): () => void {
    return this.endings.onGap(listener);
  }
}

/** Whatever a client sent instead is nobody's. */
function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= MAX_ID;
}

/** 256 random bits. */
function newId(): string {
  return randomBytes(32).toString('base64url');
}
