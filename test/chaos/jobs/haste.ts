import type { Edit } from '../mutant.js';

/** The service as it is, but for how long it waits for those who died: with its own times a short run would be a long one. */
export const HASTE: readonly Edit[] = [
  { file: 'queue.config.js', find: "lockDuration: '30s'", put: "lockDuration: '3s'" },
  { file: 'queue.config.js', find: "stalledInterval: '15s'", put: "stalledInterval: '1s'" },
  { file: 'jobs/job.options.js', find: "delay: '60s'", put: "delay: '1s'" },
  {
    file: 'outbox/outbox.relay.js',
    find: 'leaseMs: 30_000, lookEveryMs: 5_000',
    put: 'leaseMs: 3_000, lookEveryMs: 1_000',
  },
  { file: 'outbox/queue-outbox.js', find: 'DELIVER_WITHIN_MS = 5_000', put: 'DELIVER_WITHIN_MS = 1_000' },
];
