import { randomBytes, randomInt } from 'node:crypto';
import type { CodeLimits } from '../session.config.js';
import {
  CodeCooldownError,
  CodeLockedError,
  CodesDisabledError,
  InvalidSessionCallError,
  SessionUnavailableError,
} from '../session.errors.js';
import type { SessionMetrics } from '../session.metrics.js';
import type { StoreChoice } from '../store-choice.js';
import type { CodeStore, CodeSubject } from './code.store.js';
import type { Pepper } from './pepper.js';
import { checkPurpose } from './purpose.js';

/** A code that was made. */
export interface IssuedCode {
  /** For the user alone: it is nowhere else in clear. Undefined when there is nobody to send it to. */
  readonly code: string | undefined;
  readonly expiresAt: Date;
}

/** What became of a try. Tell the client whether it was accepted, and no more. */
export interface CodeVerdict {
  readonly accepted: boolean;
  /** For logs and metrics: `none` is no code, or one that was used, has ended or was guessed at too often. */
  readonly reason: 'accepted' | 'wrong' | 'none' | 'locked';
  /** When `locked` ends; else 0. */
  readonly retryAfterMs: number;
}

export interface CodePurpose {
  /** What the code is for: it is good for nothing else. @default 'login' */
  readonly purpose?: string;
}

/**
 * Codes of a few digits that are good once, for five minutes and five guesses. Without Redis they live in this process; while
 * it is lost every call rejects with `SessionUnavailableError`.
 */
export class OneTimeCodes {
  /** @internal Made by `SessionModule`. */
  constructor(
    private readonly choice: StoreChoice<CodeStore>,
    private readonly limits: CodeLimits,
    private readonly metrics: SessionMetrics,
    /** Undefined turns codes off. */
    private readonly pepper: (() => Pepper) | undefined,
  ) {}

  /**
   * Makes a code; the former one is void. With `known: false` there is nobody to send it to: everything happens as ever,
   * and takes as long, but no code exists that would be accepted.
   * @throws CodeCooldownError, CodeLockedError
   * @example const { code } = await codes.issue(email, { purpose: 'login', known: user !== undefined });
   */
  async issue(
    subject: string,
    { purpose = 'login', known = true }: CodePurpose & { /** @default true */ readonly known?: boolean } = {},
  ): Promise<IssuedCode> {
    const { digits, ttlMs } = this.limits;
    const code = String(randomInt(10 ** digits)).padStart(digits, '0');
    const decoy = randomBytes(32).toString('base64url'); // made in any case, so that it takes as long
    const { of, hash } = this.#hashed(subject, purpose, code);
    const expiresAt = new Date(Date.now() + ttlMs);
    const issue = await this.#ask('issue codes', of, (store) => store.issue(of, known ? hash : decoy, this.limits));
    this.metrics.code(issue.state);
    if (issue.state === 'cooldown') throw new CodeCooldownError(issue.waitMs);
    if (issue.state === 'locked') throw new CodeLockedError(issue.waitMs);
    return { code: known ? code : undefined, expiresAt };
  }

  /** Uses up one attempt. A code is accepted once, whoever tries it at the same moment. */
  async verify(subject: string, code: string, { purpose = 'login' }: CodePurpose = {}): Promise<CodeVerdict> {
    const { of, hash } = this.#hashed(subject, purpose, String(code).trim());
    const tried = await this.#ask('verify codes', of, (store) => store.try(of, hash, this.limits));
    this.metrics.code(tried.state);
    const { state: reason } = tried;
    return { accepted: reason === 'accepted', reason, retryAfterMs: tried.state === 'locked' ? tried.waitMs : 0 };
  }

  #hashed(subject: string, purpose: string, code: string): { readonly of: CodeSubject; readonly hash: string } {
    if (this.pepper === undefined) throw new CodesDisabledError();
    if (typeof subject !== 'string' || subject === '' || !subject.isWellFormed()) {
      throw new InvalidSessionCallError('Expected a subject', subject);
    }
    const pepper = this.pepper();
    const of = { subject: pepper.hash('subject', subject).slice(0, 22), purpose: checkPurpose(purpose) };
    return { of, hash: pepper.hash('code', purpose, subject, code) };
  }

  async #ask<T>(what: string, { subject }: CodeSubject, ask: (store: CodeStore) => Promise<T>): Promise<T> {
    try {
      return await this.choice.ask(what, 'write', subject, ask);
    } catch (error) {
      if (error instanceof SessionUnavailableError) this.metrics.code('failed');
      throw error;
    }
  }
}
