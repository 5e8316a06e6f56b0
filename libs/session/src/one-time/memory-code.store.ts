import { timingSafeEqual } from 'node:crypto';
import type { CodeLimits } from '../session.config.js';
import { codeKeysOf } from '../session.keys.js';
import { processClock, type Clock } from '../store-choice.js';
import { ExpiringMap } from '../values/expiring-map.js';
import { CodeStore, type CodeIssue, type CodeSubject, type CodeTry } from './code.store.js';

interface PendingCode {
  readonly hash: Buffer;
  left: number;
}

interface Budget {
  sent: number;
  bad: number;
  cool: number;
}

/** Keeps hashes of codes in this process. */
export class MemoryCodeStore extends CodeStore {
  readonly name = 'memory';
  readonly #codes: ExpiringMap<PendingCode>;
  readonly #budgets: ExpiringMap<Budget>;

  constructor(private readonly clock: Clock = processClock) {
    super();
    this.#codes = new ExpiringMap(clock);
    this.#budgets = new ExpiringMap(clock);
  }

  async issue(of: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeIssue> {
    const { code, budget } = codeKeysOf(of.subject, of.purpose);
    const { value: spent, leftMs } = this.#budgetAt(budget.name, limits.windowMs);
    if (spent.bad >= limits.guesses || spent.sent >= limits.sends) return { state: 'locked', waitMs: leftMs };
    const now = this.clock();
    if (spent.cool > now) return { state: 'cooldown', waitMs: Math.ceil(spent.cool - now) };
    spent.sent++;
    spent.cool = now + limits.cooldownMs;
    this.#codes.set(code.name, { hash: Buffer.from(hash), left: limits.attempts }, limits.ttlMs);
    return { state: 'issued' };
  }

  async try(of: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeTry> {
    const { code, budget } = codeKeysOf(of.subject, of.purpose);
    const { value: spent, leftMs } = this.#budgetAt(budget.name, limits.windowMs);
    if (spent.bad >= limits.guesses) return { state: 'locked', waitMs: leftMs };
    const pending = this.#codes.find(code.name)?.value;
    if (pending === undefined) return { state: 'none' };
    const right = timingSafeEqual(pending.hash, Buffer.from(hash));
    pending.left--;
    if (right || pending.left <= 0) this.#codes.delete(code.name);
    if (right) return { state: 'accepted' };
    spent.bad++;
    return { state: 'wrong' };
  }

  #budgetAt(name: string, windowMs: number) {
    const found = this.#budgets.find(name);
    if (found) return found;
    const value: Budget = { sent: 0, bad: 0, cool: 0 };
    this.#budgets.set(name, value, windowMs);
    return { value, leftMs: windowMs };
  }
}
