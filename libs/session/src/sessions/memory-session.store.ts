import { processClock, type Clock } from '../store-choice.js';
import { bytesOf } from './session.fields.js';
import {
  SessionStore,
  type SessionChanges,
  type SessionCreated,
  type SessionDraft,
  type SessionFound,
  type SessionNews,
  type SessionRotation,
  type StoredSession,
} from './session.store.js';

export interface MemorySessionStoreOptions {
  readonly clock?: Clock;
  /** How many sessions are kept; one more and the oldest is forgotten. @default 100_000 */
  readonly maxSessions?: number;
  /** How long an end is remembered. @default 600_000 */
  readonly endedMs?: number;
  /** Tells all who listen. */
  readonly tell?: (news: SessionNews) => void;
}

type Kept = Omit<StoredSession, 'nowMs' | 'leftMs' | 'fields'> & { readonly fields: Map<string, string> };
type Entry = { readonly until: number } & ({ readonly kept: Kept } | { readonly to: string });

/** Keeps sessions in this process, with the same results as Redis. */
export class MemorySessionStore extends SessionStore {
  readonly name = 'memory';
  readonly #entries = new Map<string, Entry>();
  #sweep = this.#entries.keys();
  readonly #ended = new Map<string, number>();
  readonly #users = new Map<string, Set<string>>();
  readonly #clock: Clock;
  readonly #maxSessions: number;
  readonly #endedMs: number;
  readonly #tell: (news: SessionNews) => void;

  constructor({
    clock = processClock,
    maxSessions = 100_000,
    endedMs = 600_000,
    tell = () => undefined,
  }: MemorySessionStoreOptions = {}) {
    super();
    this.#clock = () => Math.floor(clock());
    this.#maxSessions = maxSessions;
    this.#endedMs = endedMs;
    this.#tell = tell;
  }

  async read(id: string): Promise<SessionFound> {
    const entry = this.#find(id);
    if (entry === undefined) return { state: 'none' };
    if ('to' in entry) return { state: 'moved', to: entry.to };
    const nowMs = this.#clock();
    const { kept } = entry;
    return { state: 'live', session: { ...kept, fields: new Map(kept.fields), nowMs, leftMs: entry.until - nowMs } };
  }

  async create(id: string, { handle, user, label, idleMs, absoluteMs, fields }: SessionDraft): Promise<SessionCreated> {
    if (this.#find(id) !== undefined) return { state: 'clash' };
    const now = this.#clock();
    if ((this.#ended.get(id) ?? 0) > now) return { state: 'gone' };
    const times = { idleMs, startedAtMs: now, seenAtMs: now, endsAtMs: now + absoluteMs };
    const kept: Kept = { handle, user, label, version: 1, ...times, retired: false, fields: new Map(fields) };
    this.#makeRoom();
    this.#entries.set(id, { kept, until: now + Math.min(idleMs, absoluteMs) });
    return { state: 'created', ofUser: user === undefined ? 0 : this.#enlist(user, id).size };
  }

  async save(id: string, changes: SessionChanges, idleMs: number): Promise<number> {
    const kept = this.#live(id);
    if (kept === undefined) return 0;
    const { set, removed, user: move, maxBytes = Infinity } = changes;
    const fields = new Map([...kept.fields].filter(([name]) => !removed.includes(name)));
    for (const [name, json] of set) fields.set(name, json);
    const bytes = bytesOf(fields);
    if (bytes > maxBytes && set.size > 0) return -bytes;
    if (move?.from !== undefined) this.#delist(move.from, id);
    if (move?.to !== undefined) this.#enlist(move.to, id);
    const user = move ? move.to : kept.user;
    const next: Kept = { ...kept, fields, user, version: kept.version + 1, idleMs, seenAtMs: this.#clock() };
    return this.#extend(id, next, idleMs) > 0 ? next.version : 0;
  }

  async touch(id: string, idleMs: number): Promise<number> {
    const kept = this.#live(id);
    return kept === undefined ? 0 : this.#extend(id, { ...kept, idleMs, seenAtMs: this.#clock() }, idleMs);
  }

  async rotate(id: string, rotation: SessionRotation): Promise<boolean> {
    const kept = this.#live(id);
    if (kept === undefined) return false;
    const { next, user, idleMs, absoluteMs, graceMs } = rotation;
    const now = this.#clock();
    const { user: before } = kept;
    const moved = { ...kept, user, fields: new Map(kept.fields), version: kept.version + 1, seenAtMs: now };
    this.#extend(next, before === user ? moved : { ...moved, startedAtMs: now, endsAtMs: now + absoluteMs }, idleMs);
    if (before !== undefined) this.#delist(before, id);
    if (user !== undefined) this.#enlist(user, next);
    if (before === user) this.#entries.set(id, { to: next, until: now + graceMs });
    else if (before === undefined) await this.retire(id, graceMs);
    else this.#remove(id);
    this.#tell({ id, handle: '', user, reason: 'rotated' });
    return true;
  }

  async retire(id: string, graceMs: number): Promise<boolean> {
    const kept = this.#live(id);
    if (kept === undefined) return false;
    const until = Math.min(this.#entries.get(id)!.until, this.#clock() + graceMs);
    this.#entries.set(id, { kept: { ...kept, retired: true }, until });
    return true;
  }

  async end(id: string, news: SessionNews): Promise<'ended' | 'none' | 'moved'> {
    const entry = this.#find(id);
    if (entry !== undefined && 'to' in entry) return 'moved';
    if (news.user !== undefined) this.#delist(news.user, id);
    if (entry === undefined) return 'none';
    this.#remove(id);
    if (!entry.kept.retired) this.#tell(news);
    return 'ended';
  }

  async idsOf(user: string): Promise<readonly string[]> {
    const startedAt = (id: string) => {
      const entry = this.#entries.get(id);
      return entry && 'kept' in entry ? entry.kept.startedAtMs : 0;
    };
    return [...(this.#users.get(user) ?? [])].toSorted((a, b) => startedAt(a) - startedAt(b));
  }

  async forget(user: string, ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#delist(user, id);
  }

  async ids(): Promise<readonly string[]> {
    return [...this.#entries.keys()].filter((id) => this.#find(id) !== undefined);
  }

  #find(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.until > this.#clock()) return entry;
    this.#drop(id, entry);
    return undefined;
  }

  /** What may be written. */
  #live(id: string): Kept | undefined {
    const entry = this.#find(id);
    return entry !== undefined && 'kept' in entry && !entry.kept.retired ? entry.kept : undefined;
  }

  #extend(id: string, kept: Kept, idleMs: number): number {
    const now = this.#clock();
    const left = Math.min(idleMs, kept.endsAtMs - now);
    this.#entries.set(id, { kept, until: now + left });
    return left;
  }

  #remove(id: string): void {
    this.#entries.delete(id);
    this.#ended.delete(id); // so that the newest stands last
    this.#ended.set(id, this.#clock() + this.#endedMs);
    for (const [oldest, until] of this.#ended) {
      if (this.#ended.size <= this.#maxSessions && until > this.#clock()) break;
      this.#ended.delete(oldest);
    }
  }

  #drop(id: string, entry: Entry): void {
    this.#entries.delete(id);
    if ('kept' in entry && entry.kept.user !== undefined) this.#delist(entry.kept.user, id);
  }

  /** Looks at two sessions for each that begins, whether they have ended; when it is full, the oldest is forgotten. */
  #makeRoom(): void {
    for (let looked = 0; looked < 2; looked++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#entries.keys();
      else this.#find(next.value);
    }
    const [oldest] = this.#entries;
    if (oldest !== undefined && this.#entries.size >= this.#maxSessions) this.#drop(...oldest);
  }

  #enlist(user: string, id: string): Set<string> {
    const ids = this.#users.get(user) ?? new Set();
    this.#users.set(user, ids.add(id));
    return ids;
  }

  #delist(user: string, id: string): void {
    const ids = this.#users.get(user);
    if (ids?.delete(id) && ids.size === 0) this.#users.delete(user);
  }
}
