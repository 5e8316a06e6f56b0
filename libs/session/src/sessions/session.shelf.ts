import { digest } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { SessionConfig } from '../session.config.js';
import { SessionGoneError, SessionTooLargeError, SessionUnavailableError } from '../session.errors.js';
import type { SessionMetrics, SessionWrite } from '../session.metrics.js';
import type { StoreChoice } from '../store-choice.js';
import type { SessionCopies } from './session.copies.js';
import { changesBetween, decodeFields } from './session.fields.js';
import { endFollowing, follow, saveFollowing, type SessionEndOutcome } from './session.moves.js';
import { checkUser, type NewSession, type SessionRecord } from './session.record.js';
import type { SessionEndReason, SessionNews, SessionStore } from './session.store.js';
import type { UnheardEnds } from './unheard-ends.js';

/** How often the list of a user whose sessions are ended is looked at again. */
const MAX_ROUNDS = 10;

/** What sessions for programs and for middleware have in common: a store, copies for outages, and counts. */
export class SessionShelf {
  constructor(
    private readonly choice: StoreChoice<SessionStore>,
    private readonly copies: SessionCopies,
    private readonly unheard: UnheardEnds,
    private readonly config: SessionConfig,
    private readonly metrics: SessionMetrics,
    /** Tells this process alone. */
    private readonly tellHere: (news: SessionNews) => void,
  ) {}

  /** @param id A digest. @throws SessionUnavailableError by the policy `closed` */
  async read(id: string): Promise<SessionRecord | undefined> {
    if (this.unheard.has(id)) return undefined; // ended here, whatever Redis still says
    try {
      const record = await this.choice.ask('read sessions', 'read', id, (store) => this.#readIn(store, id, true));
      if (record === undefined) this.copies.drop(id);
      else if (record.source === 'redis' && record.id === id) this.copies.keep(id, record.stored);
      return record;
    } catch (error) {
      if (!(error instanceof SessionUnavailableError)) throw error;
      const stored = this.config.outage === 'local' ? this.copies.find(id) : undefined;
      const data = stored && decodeFields(stored.fields);
      this.metrics.read(data ? 'copy' : 'unavailable');
      if (data) return { id, stored: stored!, data, source: 'copy', fresh: false };
      if (this.config.outage === 'closed') throw error;
      return undefined;
    }
  }

  /** Resolves to undefined when the id is taken. @throws SessionGoneError when it was a session's that ended */
  async create(id: string, begun: NewSession): Promise<SessionRecord | undefined> {
    const { user, label, idleMs, absoluteMs, fields } = begun;
    checkUser(user);
    const draft = { ...begun, handle: randomBytes(12).toString('base64url') };
    const [created, source] = await this.#write('start', id, async (store) => {
      return [await store.create(id, draft), store.name] as const;
    });
    if (created.state === 'clash') return undefined;
    if (created.state === 'gone') {
      this.metrics.wrote('start', 'gone');
      throw new SessionGoneError();
    }
    this.metrics.wrote('start', 'done');
    if (user !== undefined && created.ofUser > this.config.maxPerUser) await this.#endOldest(user);
    const nowMs = Date.now();
    const times = { idleMs, startedAtMs: nowMs, seenAtMs: nowMs, endsAtMs: nowMs + absoluteMs, nowMs };
    const rest = { leftMs: Math.min(idleMs, absoluteMs), version: 1, retired: false };
    const stored = { handle: draft.handle, user, label, ...times, ...rest, fields };
    return { id, stored, data: decodeFields(fields)!, source, fresh: true };
  }

  /** Writes what is different; nothing when nothing is. @throws SessionGoneError */
  async save(
    record: SessionRecord,
    fields: ReadonlyMap<string, string>,
    idleMs: number,
    user: string | undefined = record.stored.user,
  ): Promise<void> {
    checkUser(user);
    if (this.unheard.has(record.id)) throw new SessionGoneError();
    const { stored } = record;
    const changes = changesBetween(stored.fields, fields);
    const move = user === stored.user ? undefined : { from: stored.user, to: user };
    if (changes.set.size + changes.removed.length === 0 && move === undefined) {
      await this.touch(record, idleMs);
      return;
    }
    const { maxBytes } = this.config;
    const { at, version } = await this.#write('save', record.id, (store) =>
      saveFollowing(store, record.id, { ...changes, user: move, maxBytes }, idleMs),
    );
    this.copies.drop(at);
    this.metrics.wrote('save', version > 0 ? 'done' : version === 0 ? 'gone' : 'failed');
    if (version === 0) throw new SessionGoneError();
    if (version < 0) throw new SessionTooLargeError('The session, with what others wrote,', -version, maxBytes);
    record.id = at;
    const alone = version === stored.version + 1; // else it holds more than this writer knows
    record.stored = { ...stored, user, version, fields, idleMs };
    if (record.source === 'redis' && alone) this.copies.keep(at, record.stored);
    if (move?.to !== undefined) await this.#endOldest(move.to);
  }

  /**
   * Lets it live on, when that was long enough ago to be worth a write. Never fails: an outage costs only lifetime. Resolves to
   * whether it is still there, as far as it was asked.
   */
  async touch(record: SessionRecord, idleMs: number): Promise<boolean> {
    const { stored, id } = record;
    if (record.source === 'copy' || stored.retired) return true;
    if (stored.nowMs - stored.seenAtMs < this.config.touchEveryMs && idleMs === stored.idleMs) return true;
    try {
      const leftMs = await this.#write('touch', id, (store) => store.touch(id, idleMs));
      this.metrics.wrote('touch', leftMs > 0 ? 'done' : 'gone');
      if (leftMs > 0) record.stored = { ...stored, leftMs, seenAtMs: stored.nowMs, idleMs };
      return leftMs > 0;
    } catch (error) {
      if (!(error instanceof SessionUnavailableError)) throw error; // that one was counted
      return true;
    }
  }

  /** @param next The digest of the new id. @throws SessionGoneError */
  async rotate(record: SessionRecord, next: string, user: string | undefined): Promise<void> {
    checkUser(user);
    if (this.unheard.has(record.id)) throw new SessionGoneError();
    const { user: from, idleMs, startedAtMs, endsAtMs, nowMs, version } = record.stored;
    const absoluteMs = endsAtMs - startedAtMs;
    const rotation = { next, from, user, idleMs, absoluteMs, graceMs: this.config.rotationGraceMs };
    const rotated = await this.#write('rotate', record.id, (store) => store.rotate(record.id, rotation));
    this.copies.end(record.id);
    this.metrics.wrote('rotate', rotated ? 'done' : 'gone');
    if (!rotated) throw new SessionGoneError();
    record.id = next;
    const begun = user === from ? {} : { startedAtMs: nowMs, endsAtMs: nowMs + absoluteMs };
    record.stored = { ...record.stored, ...begun, user, version: version + 1 };
    if (user !== undefined && user !== from) await this.#endOldest(user);
  }

  /** Leaves it readable for the grace of a rotation, and nothing else. */
  async retire({ id }: SessionRecord): Promise<void> {
    const retired = await this.#write('rotate', id, (store) => store.retire(id, this.config.rotationGraceMs));
    this.copies.end(id);
    this.metrics.wrote('rotate', retired ? 'done' : 'gone');
  }

  /**
   * Ends whatever session the id leads to. In an outage it ends here at once, and everywhere when Redis is back.
   * @throws SessionUnavailableError in an outage
   */
  async end(id: string, reason: SessionEndReason): Promise<boolean> {
    const copy = this.copies.find(id);
    this.copies.end(id);
    try {
      const outcome = await this.#write('end', id, (store) => this.#endIn(store, id, reason));
      this.metrics.wrote('end', outcome === 'ended' ? 'done' : 'gone');
      return outcome === 'ended';
    } catch (error) {
      if (error instanceof SessionUnavailableError) {
        this.unheard.add(id);
        if (copy) this.tellHere({ id, handle: copy.handle, user: copy.user, reason });
      }
      throw error;
    }
  }

  /** Ends it where that was not heard before. @throws SessionUnavailableError when it is not heard again */
  async endUnheard(id: string): Promise<void> {
    await this.choice.ask('end sessions', 'write', id, (store) => this.#endIn(store, id, 'ended'));
  }

  /**
   * Ends all sessions of a user save one. Resolves to how many.
   * @throws SessionUnavailableError in an outage, or when sessions begin faster than they can be ended
   */
  async endAll(user: string, except: string | undefined): Promise<number> {
    let ended = 0;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const ends = await this.#write('end', digest(user), async (store) => {
        const ids = await store.idsOf(user);
        const outcomes = await Promise.all(ids.map((id) => this.#endIn(store, id, 'everywhere', except)));
        const gone = ids.filter((_, index) => outcomes[index] === 'none');
        await store.forget(user, gone);
        return outcomes;
      });
      const count = ends.filter((end) => end === 'ended').length;
      for (let i = 0; i < count; i++) this.metrics.wrote('end', 'done');
      ended += count;
      // Once more: one that got another id meanwhile is under it on the list.
      if (ends.every((end) => end === 'spared')) return ended;
    }
    throw new SessionUnavailableError('end all sessions', true);
  }

  /** The user's sessions, the oldest first. @throws SessionUnavailableError */
  async ofUser(user: string): Promise<readonly SessionRecord[]> {
    const { ids, records } = await this.choice.ask('list sessions', 'read', digest(user), async (store) => {
      const listed = await store.idsOf(user);
      return { ids: listed, records: await Promise.all(listed.map((id) => this.#readIn(store, id, false))) };
    });
    // One that moved is listed under its new id as well; one that was corrupt or ran out is no session.
    const own = ids.map((id, index) => ({ id, record: records[index] })).filter(({ id, record }) => record?.id === id);
    const sessions = own.map(({ record }) => record!).filter(({ stored }) => stored.user === user);
    const gone = ids.filter((id) => !sessions.some((record) => record.id === id));
    if (gone.length > 0) {
      await this.choice.ask('list sessions', 'write', digest(user), (store) => store.forget(user, gone));
    }
    return sessions;
  }

  /** Digests of all ids. @throws SessionUnavailableError */
  ids(): Promise<readonly string[]> {
    return this.choice.ask('list sessions', 'read', 'ids', (store) => store.ids());
  }

  async #endOldest(user: string): Promise<void> {
    const sessions = await this.ofUser(user);
    const extra = sessions.slice(0, Math.max(0, sessions.length - this.config.maxPerUser));
    await Promise.all(extra.map(({ id }) => this.end(id, 'limit')));
  }

  /** @param counted Not of sessions that are listed. */
  async #readIn(store: SessionStore, id: string, counted: boolean): Promise<SessionRecord | undefined> {
    const { at, found } = await follow(store, id);
    const data = found.state === 'live' ? decodeFields(found.session.fields) : undefined;
    const corrupt = found.state === 'corrupt' || (found.state === 'live' && data === undefined);
    if (counted) this.metrics.read(corrupt ? 'corrupt' : data ? 'found' : 'none');
    if (found.state !== 'live' || data === undefined) return undefined;
    return { id: at, stored: found.session, data, source: store.name, fresh: false };
  }

  async #endIn(store: SessionStore, id: string, reason: SessionEndReason, except?: string): Promise<SessionEndOutcome> {
    return endFollowing(store, id, { reason, except, ended: (each) => this.copies.end(each) });
  }

  async #write<T>(verb: SessionWrite, id: string, ask: (store: SessionStore) => Promise<T>): Promise<T> {
    try {
      return await this.choice.ask(`${verb} sessions`, 'write', id, ask);
    } catch (error) {
      if (error instanceof SessionUnavailableError) this.metrics.wrote(verb, 'failed');
      throw error;
    }
  }
}
