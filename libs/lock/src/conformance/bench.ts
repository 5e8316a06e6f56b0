import { expect } from '@jest/globals';
import type { ClaimOutcome, LockClaim, LockHold, LockKind, LockStore, ReleaseOutcome } from '../stores/lock.store.js';

/** What a store under test has to be opened with: how long its waiters live without asking again, in ms. */
export const WAITER_TTL_MS = 5_000;

/** What a store may be without: the kinds other than `mutex`, and the queue with its wake-ups. */
export type LockFeature = Exclude<LockKind, 'mutex'> | 'queue';

/** A store under test, opened with {@link WAITER_TTL_MS}. */
export interface OpenedLockStore {
  readonly store: LockStore;
  /** How the store's own process is called in holders; wake-ups of others do not reach it. */
  readonly instance: string;
  /** Lets time go by for all that is stored, without waiting for it. */
  pass(ms: number): void | Promise<void>;
  close(): void | Promise<void>;
}

/** What a claim of a test may say; the rest is that of a mutex. */
export type Asked = Partial<Omit<LockClaim, 'holder' | 'keys'>> & { readonly keys?: readonly string[] };

/** Asks a store about keys that no other test has, each time as another holder. */
export class Bench {
  readonly #random = Math.random().toString(36).slice(2);
  readonly #first = Math.floor(Math.random() * 1e12);
  readonly #turns: (string | undefined)[] = [];
  readonly #deafen: () => void;
  #claims = 0;

  constructor(readonly opened: OpenedLockStore) {
    this.#deafen = opened.store.onTurn((holder) => this.#turns.push(holder));
  }

  get store(): LockStore {
    return this.opened.store;
  }

  /** A key by the name it has in a test. */
  key(name = 'a'): string {
    return `${name}-${this.#random}`;
  }

  /** A claim for key `a` that does not wait, for 10 s. */
  claim({ keys = ['a'], ...asked }: Asked = {}): LockClaim {
    const holder = `${this.opened.instance}.${this.#first + this.#claims++}`;
    const rest = { kind: 'mutex', ttlMs: 10_000, weight: 1, limit: 1, wait: false } as const;
    return { ...rest, ...asked, keys: keys.map((key) => this.key(key)), holder };
  }

  /** A claim that waits. */
  waiter(asked: Asked = {}): LockClaim {
    return this.claim({ wait: true, ...asked });
  }

  /** @throws unless it is granted. */
  async hold(claim: LockClaim): Promise<LockHold> {
    const outcome = await this.store.acquire(claim);
    if (outcome.state !== 'granted') throw new Error(`Expected a grant, got ${outcome.state}`);
    return { ...claim, token: outcome.token };
  }

  /** What becomes of each claim, one after the other. */
  async states(...claims: LockClaim[]): Promise<ClaimOutcome['state'][]> {
    const states: ClaimOutcome['state'][] = [];
    for (const claim of claims) states.push((await this.store.acquire(claim)).state);
    return states;
  }

  async outcomeOf(hold: LockHold): Promise<ReleaseOutcome> {
    return (await this.store.release(hold)).outcome;
  }

  /** Resolves once a holder's turn was announced, and fails when it is not within a second. */
  async turnOf({ holder }: LockClaim): Promise<void> {
    for (const until = Date.now() + 1_000; Date.now() < until && !this.#turns.includes(holder);) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(this.#turns).toContain(holder);
    this.#turns.length = 0;
  }

  /** Stops listening. */
  close(): void {
    this.#deafen();
  }
}

/** One promise of a store, which is broken when it rejects. */
export interface LockVector {
  readonly name: string;
  /** Stores without these are not asked. */
  readonly needs: readonly LockFeature[];
  check(bench: Bench): Promise<void>;
}

/** Promises by their names. */
export function vectorsOf(
  needs: readonly LockFeature[],
  checks: Readonly<Record<string, (bench: Bench) => Promise<void>>>,
): LockVector[] {
  return Object.entries(checks).map(([name, check]) => ({ name, needs, check }));
}
