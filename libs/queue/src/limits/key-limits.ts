/** One job that runs, or wants to, as one of those that have its key. */
export interface KeyHold {
  readonly queue: string;
  readonly key: string;
  /** Which job it is, and which of its runs: asking twice with the same token counts once. */
  readonly token: string;
}

/** What a job asks for before it runs. */
export interface KeyClaim extends KeyHold {
  /** How many jobs of the key may run at a time. @default any number */
  readonly concurrency?: number;
  /** How many jobs of the key may start in a time; after a burst of `max` they start evenly. @default any number */
  readonly rate?: { readonly max: number; readonly windowMs: number };
  /** How long its place is kept without a renewal. */
  readonly leaseMs: number;
}

/** Whether the job may run, and otherwise when asking again makes sense. */
export type KeyVerdict =
  | { readonly granted: true }
  | { readonly granted: false; readonly retryAfterMs: number; readonly by: 'concurrency' | 'rate' };

/**
 * Limits jobs that have the same key, over all processes, by the clock of whoever counts. Implementations agree: see
 * `conformance.ts`.
 */
export abstract class KeyLimits {
  /**
   * Takes a place of the key, and charges its rate: both or neither. Who has a place gets it again for a full lease, and is
   * not charged. Atomic: of many callers at once no more are granted than may run.
   */
  abstract acquire(claim: KeyClaim): Promise<KeyVerdict>;

  /** Gives places a full lease again. Resolves to those that were lost: their lease ran out, or they were given back. */
  abstract renew(holds: readonly KeyHold[], leaseMs: number): Promise<readonly KeyHold[]>;

  /** Gives a place back; nothing happens when it was lost. What was charged to the rate stays charged. */
  abstract release(hold: KeyHold): Promise<void>;
}

/**
 * For how long at most a job that found every place taken is told to stay away, in ms: a place is given back long before
 * its lease ends, and nobody is told of it.
 */
export const LONGEST_PAUSE_MS = 1_000;

/** What a refusal says. A pause is never 0 ms. */
export function refused(by: 'concurrency' | 'rate', waitMs: number): KeyVerdict {
  const retryAfterMs = Math.max(1, by === 'rate' ? waitMs : Math.min(waitMs, LONGEST_PAUSE_MS));
  return { granted: false, retryAfterMs, by };
}
