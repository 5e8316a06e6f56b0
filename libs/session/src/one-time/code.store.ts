import type { CodeLimits } from '../session.config.js';

/** Whose code: a digest of the subject that only the pepper's owner can make, and what the code is for. */
export interface CodeSubject {
  readonly subject: string;
  readonly purpose: string;
}

export type CodeIssue =
  { readonly state: 'issued' } | { readonly state: 'cooldown' | 'locked'; readonly waitMs: number };

/** `none`: there is no code, or its attempts are used up; `locked`: too many were wrong within the window. */
export type CodeTry =
  { readonly state: 'accepted' | 'wrong' | 'none' } | { readonly state: 'locked'; readonly waitMs: number };

/** The verbs of one-time codes. Every call is atomic: of many right tries at once, one is accepted. */
export abstract class CodeStore {
  abstract readonly name: 'redis' | 'memory';

  /** Replaces the former code, and counts; neither the wrong guesses nor the window begin anew. */
  abstract issue(of: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeIssue>;
  /** Uses up one attempt, whatever the guess. A code that was accepted is gone. */
  abstract try(of: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeTry>;
}
