import type { Violation } from './judge.js';

/** What a run came to. */
export interface Outcome {
  readonly seed: number;
  readonly sockets: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  /** How often a device was in a room. */
  readonly holds: number;
  /** Users who were told to be gone; by however many clients, once. */
  readonly leaves: number;
  /** How long after the storm every view was that of those who were there, in ms. */
  readonly rightAfterMs: number;
  readonly violations: readonly Violation[];
  /** What the processes printed, when something is wrong. */
  readonly logs: string | undefined;
}
