import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { SessionDraft, SessionNews, SessionStore, StoredSession } from '../sessions/session.store.js';

/** A session store under test. */
export interface OpenedSessionStore {
  readonly store: SessionStore;
  /** Lets time go by for it. */
  pass(ms: number): void | Promise<void>;
  /** What it has told all processes so far, once it has had the time to. */
  news(): Promise<readonly SessionNews[]>;
  close(): void | Promise<void>;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const newId = (): string => randomBytes(16).toString('base64url');

export function draft(over: Partial<SessionDraft> = {}): SessionDraft {
  return { handle: newId(), idleMs: HOUR / 2, absoluteMs: 8 * HOUR, fields: new Map(), ...over };
}

export async function begin(store: SessionStore, over: Partial<SessionDraft> = {}) {
  const [id, made] = [newId(), draft(over)];
  assert.equal((await store.create(id, made)).state, 'created');
  const { handle, user } = made;
  return { id, handle, news: { id, handle, user, reason: 'ended' } satisfies SessionNews };
}

export function rotation(next: string, { from, user }: { from?: string | undefined; user?: string | undefined } = {}) {
  return { next, from, user, idleMs: HOUR / 2, absoluteMs: 8 * HOUR, graceMs: 10_000 };
}

export function changes(set: Record<string, string>, removed: string[] = []) {
  return { set: new Map(Object.entries(set)), removed };
}

export async function live(store: SessionStore, id: string): Promise<StoredSession> {
  const found = await store.read(id);
  assert.equal(found.state, 'live');
  return (found as { session: StoredSession }).session;
}

/** Within what a slow machine may need for a test. */
export function near(ms: number, expected: number): void {
  assert.ok(Math.abs(ms - expected) < 20_000, `Expected about ${expected} ms, got ${ms}`);
}
