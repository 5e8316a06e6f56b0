import type { LockService } from '@roost/lock';
import type { Pool } from 'pg';
import type { Random } from '../../random.js';
import type { Sections } from './sections.js';

/** What a workload works with. */
export interface Means {
  readonly locks: LockService;
  /** Locks whose outages a database bridges: what is written in its transactions excludes, not the lock itself. */
  readonly guarded: LockService;
  readonly pool: Pool;
  readonly sections: Sections;
  readonly random: Random;
  readonly storeUrl: string;
  /** The process, to make ids of. */
  readonly p: string;
}

/** Does one small thing; called again and again until the run ends. */
export type Workload = (means: Means) => Promise<void>;
