import { digest } from '@roost/redis';
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import type { SessionConfig } from '../session.config.js';
import { SessionGoneError, SessionNotRotatedError } from '../session.errors.js';
import { encodeFields, type SessionData } from '../sessions/session.fields.js';
import type { SessionRecord } from '../sessions/session.record.js';
import type { SessionShelf } from '../sessions/session.shelf.js';
import { settle, type Callback } from './callback.js';
import { SessionClasses, type SessionRequest } from './express-session.js';
import { idleMsOf, withMoments, withoutMoments } from './session-cookie.js';

/** What {@link RoostSessionStore} has to know of the application. */
export interface RoostSessionStoreOptions<Data = SessionData> {
  /**
   * Who is signed in, by what the session holds: it then is on the user's list, ends with `Sessions.endAll`, and refuses a
   * user under the id it had before. @default nobody
   * @example (session) => session.userId
   */
  readonly user?: (session: Data) => string | undefined;
}

/** A session as it was read under an id: by its digest, which may lead to another one. */
interface Reading {
  readonly id: string;
  readonly record: SessionRecord;
}

/**
 * The store of `express-session` and of `@fastify/session`. Of parallel requests each writes what it changed; a session that
 * ended while a request ran stays ended, and the request gets a `SessionGoneError`.
 * @example session({ store: app.get(SessionStores).create(), secret, resave: false, saveUninitialized: false })
 */
export class RoostSessionStore extends EventEmitter {
  /** Set by `express-session`: gives a request a new session. */
  declare generate: (request: never) => void;
  readonly #shelf: SessionShelf;
  readonly #config: SessionConfig;
  readonly #userOf: ((data: SessionData) => string | null | undefined) | undefined;
  readonly #classes = new SessionClasses();
  /** What a session held when it was read, where the middleware hands its object on. */
  readonly #records = new WeakMap<object, Reading>();
  /** The same where it makes a copy: whatever a request does happens in its own context. */
  readonly #reading = new AsyncLocalStorage<Reading>();

  /** @internal Made by `SessionStores`. */
  constructor(shelf: SessionShelf, config: SessionConfig, options: RoostSessionStoreOptions<never> = {}) {
    super();
    this.#shelf = shelf;
    this.#config = config;
    this.#userOf = options.user as ((data: SessionData) => string | undefined) | undefined;
  }

  // What callbacks take is left open: each middleware has a type of its own for it.
  get(sid: string, callback: Callback<never>): void {
    const id = digest(String(sid));
    settle(this.#shelf.read(id), (error, record) => {
      const reply = callback as Callback<SessionData | null>;
      if (!record) return reply(error, null);
      const data = withMoments(record.data, record.stored.leftMs);
      this.#records.set(data, { id, record });
      this.#reading.run({ id, record }, reply, null, data);
    });
  }

  set(sid: string, session: object, callback?: Callback): void {
    settle(this.#set(digest(sid), session), callback);
  }

  touch(sid: string, session: object, callback?: Callback): void {
    settle(this.#touch(digest(sid), session), callback);
  }

  destroy(sid: string, callback?: Callback): void {
    settle(this.#shelf.end(digest(String(sid)), 'ended'), callback);
  }

  /** All sessions, with their digest as `id`: the ids themselves are nowhere to be found. */
  all(callback: Callback<never>): void {
    const reading = this.#shelf.ids().then(async (ids) => {
      const records = await Promise.all(ids.map((id) => this.#shelf.read(id)));
      const own = records.filter((record, index) => record?.id === ids[index]);
      return own.map((each) => ({ ...withMoments(each!.data, each!.stored.leftMs), id: each!.id }));
    });
    settle<unknown>(reading, callback as Callback);
  }

  length(callback: Callback<number>): void {
    settle(
      this.#shelf.ids().then((ids) => ids.length),
      callback,
    );
  }

  /** Digests of all ids. */
  ids(callback: Callback<readonly string[]>): void {
    settle(this.#shelf.ids(), callback);
  }

  clear(callback?: Callback): void {
    const ending = this.#shelf.ids().then((ids) => Promise.all(ids.map((id) => this.#shelf.end(id, 'ended'))));
    settle(ending, callback);
  }

  /**
   * Gives the request a new session. When nobody was signed in under the old id, and `user` tells so, the old one can be read
   * for a moment, so that requests that run beside this one do not fail; else it ends.
   */
  regenerate(request: SessionRequest, callback: Callback): void {
    const { session, sessionID } = request;
    const record = session ? this.#records.get(session)?.record : undefined;
    const anonymous = record !== undefined && record.stored.user === undefined && this.#userOf !== undefined;
    const leaving = anonymous ? this.#shelf.retire(record) : this.#shelf.end(digest(sessionID), 'ended');
    settle<unknown>(leaving, (error) => {
      if (!error) this.generate(request as never);
      callback(error);
    });
  }

  /** What `express-session` expects of its stores. */
  load(sid: string, callback: Callback<never>): void {
    this.get(sid, (error, data) => {
      if (error || !data) return callback(error);
      callback(null, this.createSession({ sessionID: sid, sessionStore: this } as never, data) as never);
    });
  }

  createSession<Request extends SessionRequest>(request: Request, data: object): NonNullable<Request['session']> {
    const session = this.#classes.inflate(request, data, () => this.generate(request as never));
    const reading = this.#records.get(data);
    if (reading) this.#records.set(session, reading);
    return session;
  }

  async #set(id: string, session: object): Promise<void> {
    const idleMs = this.#idleMsOf(session);
    if (idleMs === 0) return void (await this.#shelf.end(id, 'ended'));
    const data = withoutMoments(session);
    const fields = encodeFields(data, this.#config.maxBytes);
    const user = this.#userOf?.(data) ?? undefined;
    let record = this.#recordOf(id, session);
    if (record === undefined) {
      record = await this.#shelf.create(id, { user, fields, idleMs, absoluteMs: this.#config.life.absoluteMs });
      if (record) return void this.#records.set(session, { id, record });
      record = await this.#shelf.read(id); // taken, by a request of which this one is not known to be a part
      if (record === undefined) throw new SessionGoneError();
    }
    // A session of this very request may get its user late: @fastify/session stores it before anything is in it.
    const planted = user !== undefined && user !== record.stored.user && !record.fresh;
    if (planted) throw new SessionNotRotatedError();
    await this.#shelf.save(record, fields, idleMs, this.#userOf ? user : record.stored.user);
    this.#records.set(session, { id, record });
  }

  async #touch(id: string, session: object): Promise<void> {
    const record = this.#recordOf(id, session) ?? (await this.#shelf.read(id));
    const idleMs = this.#idleMsOf(session);
    if (record && idleMs > 0) await this.#shelf.touch(record, idleMs);
  }

  #idleMsOf(session: object): number {
    const { idleMs, absoluteMs } = this.#config.life;
    return Math.min(idleMsOf(session, idleMs), absoluteMs);
  }

  #recordOf(id: string, session: object): SessionRecord | undefined {
    const readings = [this.#records.get(session), this.#reading.getStore()];
    return readings.find((reading) => reading?.id === id)?.record;
  }
}
