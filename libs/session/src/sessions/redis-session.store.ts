import type { Commands } from '@roost/redis';
import { endedKeyOf, SESSION_KEY_HEAD, sessionKeyOf, userKeyOf } from '../session.keys.js';
import { FIELD_BYTES } from './session.fields.js';
import {
  SessionStore,
  type SessionChanges,
  type SessionCreated,
  type SessionDraft,
  type SessionFound,
  type SessionNews,
  type SessionRotation,
} from './session.store.js';
import {
  createSession,
  endSession,
  readSession,
  retireSession,
  rotateSession,
  saveSession,
  touchSession,
} from './sessions.lua.js';

/** What a {@link RedisSessionStore} stands on. */
export interface RedisSessionStoreParts {
  readonly commands: Commands;
  /** The connection's `keyPrefix`: {@link SessionStore.ids} looks for it. */
  readonly keyPrefix: string;
  /** Where {@link SessionNews} are published, on the wire. */
  readonly channel: string;
  /** How long an end is remembered: no request runs longer. @default 600_000 */
  readonly endedMs?: number;
}

const SCAN_COUNT = 1_000;

/** Keeps sessions in Redis, by Redis' clock, one script for each verb. */
export class RedisSessionStore extends SessionStore {
  readonly name = 'redis';
  readonly #commands: Commands;
  readonly #endedMs: number;

  constructor(private readonly parts: RedisSessionStoreParts) {
    super();
    this.#commands = parts.commands;
    this.#endedMs = parts.endedMs ?? 600_000;
  }

  async read(id: string): Promise<SessionFound> {
    const [now, left, flat] = await this.#commands.run(readSession, { session: sessionKeyOf(id) }, {});
    return flat === undefined ? { state: 'corrupt' } : foundIn(now, left!, flat);
  }

  async create(id: string, draft: SessionDraft): Promise<SessionCreated> {
    const { handle, user, label, idleMs, absoluteMs } = draft;
    const fields = ['h', handle, ...wired(draft.fields)];
    if (user !== undefined) fields.push('u', user);
    if (label !== undefined) fields.push('l', label);
    const keys = { session: sessionKeyOf(id), ended: endedKeyOf(id), index: listOf(user) };
    const ofUser = await this.#commands.run(createSession, keys, { id, idleMs, absoluteMs, fields });
    if (ofUser >= 0) return { state: 'created', ofUser };
    return { state: ofUser === -1 ? 'clash' : 'gone' };
  }

  save(id: string, { set, removed, user, maxBytes = 0 }: SessionChanges, idleMs: number): Promise<number> {
    const keys = { session: sessionKeyOf(id), from: userKeyOf(user?.from), to: userKeyOf(user?.to) };
    const fields = [...removed.map((name) => `.${name}`), ...wired(set)];
    const moves = { moves: user ? 1 : 0, user: user?.to ?? '' };
    const size = { maxBytes, fieldBytes: FIELD_BYTES };
    return this.#commands.run(saveSession, keys, { id, idleMs, ...moves, ...size, removals: removed.length, fields });
  }

  touch(id: string, idleMs: number): Promise<number> {
    return this.#commands.run(touchSession, { session: sessionKeyOf(id) }, { idleMs });
  }

  rotate(id: string, { next, from, user, idleMs, absoluteMs, graceMs }: SessionRotation): Promise<boolean> {
    const [session, ended] = [sessionKeyOf(id), endedKeyOf(id)];
    const keys = { session, next: sessionKeyOf(next), ended, from: userKeyOf(from), to: userKeyOf(user) };
    const message = JSON.stringify({ id, handle: '', user, reason: 'rotated' } satisfies SessionNews);
    const { channel } = this.parts;
    const lives = { idleMs, absoluteMs, graceMs, endedMs: this.#endedMs };
    return this.#commands.run(rotateSession, keys, { id, nextId: next, user: user ?? '', ...lives, channel, message });
  }

  retire(id: string, graceMs: number): Promise<boolean> {
    return this.#commands.run(retireSession, { session: sessionKeyOf(id) }, { graceMs });
  }

  end(id: string, news: SessionNews): Promise<'ended' | 'none' | 'moved'> {
    const keys = { session: sessionKeyOf(id), ended: endedKeyOf(id), index: listOf(news.user) };
    const { channel } = this.parts;
    return this.#commands.run(endSession, keys, { id, endedMs: this.#endedMs, channel, message: JSON.stringify(news) });
  }

  idsOf(user: string): Promise<readonly string[]> {
    return this.#commands.read<string[]>('ZRANGE', userKeyOf(user), 0, -1);
  }

  async forget(user: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#commands.write('ZREM', userKeyOf(user), ...ids);
  }

  async ids(): Promise<readonly string[]> {
    const head = `${this.parts.keyPrefix}:${SESSION_KEY_HEAD}`;
    const pattern = `${head.replace(/[*?[\]\\^]/g, '\\$&')}*`;
    const ids = new Set<string>();
    let cursor = '0';
    do {
      const scan = await this.#commands.read<[string, string[]]>('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
      cursor = scan[0];
      for (const name of scan[1]) ids.add(name.slice(head.length));
    } while (cursor !== '0');
    return [...ids];
  }
}

function listOf(user: string | undefined) {
  return user === undefined ? [] : [userKeyOf(user)];
}

function wired(fields: ReadonlyMap<string, string>): string[] {
  return [...fields].flatMap(([name, json]) => [`.${name}`, json]);
}

function foundIn(nowMs: number, leftMs: number, flat: readonly string[]): SessionFound {
  if (flat.length === 0) return { state: 'none' };
  const meta = new Map<string, string>();
  const fields = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) {
    const [name, value] = [flat[i]!, flat[i + 1]!];
    if (name.startsWith('.')) fields.set(name.slice(1), value);
    else meta.set(name, value);
  }
  const to = meta.get('to');
  if (to !== undefined) return { state: 'moved', to };
  const number = (name: string) => Number(meta.get(name) ?? NaN);
  const handle = meta.get('h');
  const times = { idleMs: number('i'), startedAtMs: number('at'), seenAtMs: number('seen'), endsAtMs: number('abs') };
  const version = number('v');
  const sound = handle !== undefined && [version, ...Object.values(times)].every(Number.isFinite) && leftMs > 0;
  if (!sound) return { state: 'corrupt' };
  const [user, label, retired] = [meta.get('u'), meta.get('l'), meta.has('old')];
  return { state: 'live', session: { handle, user, label, version, ...times, nowMs, leftMs, retired, fields } };
}
