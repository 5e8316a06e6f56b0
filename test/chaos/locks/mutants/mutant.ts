import type { Edit } from '../../mutant.js';
import type { RunOptions } from '../run.js';
import type { Lane } from '../nemesis/plan.js';

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
