/** What one step found, before it is known under which name the step is listed. */
export interface Outcome {
  readonly verdict: 'ok' | 'warning' | 'failure';
  /** One sentence of what was found. */
  readonly says: string;
  /** What to do about it; absent when nothing needs doing. */
  readonly todo?: string;
}

/** One line of the examination. A failure is the last one. */
export interface Finding extends Outcome {
  readonly step: string;
}

export const ok = (says: string): Outcome => ({ verdict: 'ok', says });
export const warning = (says: string, todo: string): Outcome => ({ verdict: 'warning', says, todo });
export const failure = (says: string, todo: string): Outcome => ({ verdict: 'failure', says, todo });
