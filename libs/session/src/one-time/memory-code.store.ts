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

/** When codes were sent and guesses were wrong within the window, the oldest first, and when another code may be sent. */
interface Budget {
  readonly sent: readonly number[];
  readonly bad: readonly number[];
  readonly cool: number;
}

const NOTHING: Budget = { sent: [], bad: [], cool: 0 };

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
    const { sent, bad, cool } = this.#spentOf(budget.name, limits);
    const waitMs = Math.max(this.#waitMs(bad, limits.guesses, limits), this.#waitMs(sent, limits.sends, limits));
    if (waitMs > 0) return { state: 'locked', waitMs };
    const now = this.#now();
    if (cool > now) return { state: 'cooldown', waitMs: cool - now };
    this.#spend(budget.name, { sent: [...sent, now], bad, cool: now + limits.cooldownMs }, limits);
    this.#codes.set(code.name, { hash: Buffer.from(hash), left: limits.attempts }, limits.ttlMs);
    return { state: 'issued' };
  }

  async try(of: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeTry> {
    const { code, budget } = codeKeysOf(of.subject, of.purpose);
    const { sent, bad, cool } = this.#spentOf(budget.name, limits);
    const waitMs = this.#waitMs(bad, limits.guesses, limits);
    if (waitMs > 0) return { state: 'locked', waitMs };
    const pending = this.#codes.find(code.name)?.value;
    if (pending === undefined) return { state: 'none' };
    const right = timingSafeEqual(pending.hash, Buffer.from(hash));
    pending.left--;
    if (right || pending.left <= 0) this.#codes.delete(code.name);
    if (right) return { state: 'accepted' };
    this.#spend(budget.name, { sent, bad: [...bad, this.#now()], cool }, limits);
    return { state: 'wrong' };
  }

  #spentOf(name: string, { windowMs }: CodeLimits): Budget {
    const { sent, bad, cool } = this.#budgets.find(name)?.value ?? NOTHING;
    const since = this.#now() - windowMs;
    return { sent: sent.filter((ms) => ms > since), bad: bad.filter((ms) => ms > since), cool };
  }

  #spend(name: string, budget: Budget, { windowMs }: CodeLimits): void {
    this.#budgets.set(name, budget, Math.max(windowMs, budget.cool - this.#now()));
  }

  /** How long until there are fewer again; 0 when there are. */
  #waitMs(times: readonly number[], most: number, { windowMs }: CodeLimits): number {
    return times.length < most ? 0 : times.at(-most)! + windowMs - this.#now();
  }

  #now(): number {
    return Math.floor(this.clock());
  }
}
