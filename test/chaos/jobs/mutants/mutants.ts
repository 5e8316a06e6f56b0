import type { Edit } from '../../mutant.js';
import type { RunOptions } from '../run.js';

/** A rule of jobs that is broken on purpose, with the faults that bring it out. */
export interface Mutant extends Required<Pick<RunOptions, 'faults'>> {
  readonly name: string;
  /** What is broken, as a reader of the results wants to know it. */
  readonly what: string;
  readonly edits: readonly Edit[];
}

const edit = (file: string, find: string, put: string, ofService = false): Edit => ({ file, find, put, ofService });

/** What the run has to notice. */
export const mutants: readonly Mutant[] = [
  {
    name: 'm1',
    what: 'the relay forgets a job of the outbox before its store has it',
    edits: [
      edit(
        'outbox/outbox.relay.js',
        'const { delivered, undelivered } = await within(',
        'await this.#ask(table.delete(relay, claimed));\n        const { delivered, undelivered } = await within(',
      ),
    ],
    faults: { servers: ['redis-kill'], processes: ['relay-kill'] },
  },
  {
    name: 'm2',
    what: 'the relay adds a job under another id when it tries again',
    edits: [
      edit(
        'outbox/queue-outbox.js',
        'async #deliver({ id, queue, name, data, options }) {',
        'async #deliver({ id, queue, name, data, options, attempts }) {\n        if (attempts > 1) options = { ...options, jobId: `${id}-${attempts}` };',
      ),
    ],
    faults: { servers: ['postgres-kill'], processes: ['relay-kill'] },
  },
  {
    name: 'm3',
    what: 'a booking adds its job before it is made, and not in its transaction',
    edits: [
      edit('outbox/outbox.js', 'this.waiting.insertIn(session, [draft])', 'this.waiting.insert([draft])'),
      edit('modules/bookings/bookings.service.js', 'await this.bookings.add(tx, booking);', '', true),
      edit(
        'modules/bookings/bookings.service.js',
        'return { id: bookingId, jobId: job.id };',
        'await this.bookings.add(tx, booking);\n            return { id: bookingId, jobId: job.id };',
        true,
      ),
    ],
    faults: { servers: [], processes: ['web-kill'] },
  },
  {
    name: 'm4',
    what: 'what a relay has claimed that died is nobody’s',
    edits: [edit('outbox/outbox.sql.js', '(available_at <= clock_timestamp() OR', '(claimed_by IS NULL OR')],
    faults: { servers: [], processes: ['relay-kill'] },
  },
  {
    name: 'm5',
    what: 'nobody takes the jobs of a worker that died',
    edits: [
      edit(
        'workers/queue-workers.js',
        'stalledInterval: stalledMs,',
        'stalledInterval: stalledMs,\n            skipStalledCheck: true,',
      ),
    ],
    faults: { servers: [], processes: ['worker-kill'] },
  },
];
