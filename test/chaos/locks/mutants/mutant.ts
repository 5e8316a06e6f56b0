import type { RunOptions } from '../run.js';
import type { Lane } from '../nemesis/plan.js';

/** One piece of the built lib, and what stands there instead. */
export interface Edit {
  /** Below `libs/lock/dist`. */
  readonly file: string;
  /** Has to be there exactly once: else the mutant is not what it says. */
  readonly find: string;
  readonly put: string;
}

/** A rule of the locks that is broken on purpose, and a run that has to notice. */
export interface Mutant extends Pick<
  RunOptions,
  'workloads' | 'workers' | 'lock' | 'minReplicas' | 'commandTimeoutMs'
> {
  readonly name: string;
  /** What is broken, as a reader of the results wants to know it. */
  readonly what: string;
  readonly edits: readonly Edit[];
  /** What goes wrong in the world meanwhile. */
  lanes(seed: number, workers: readonly string[]): readonly Lane[];
}
