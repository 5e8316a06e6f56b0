import { show } from '@roost/redis';
import type { JobOptions } from '../jobs/job.options.js';
import { OutboxUnsupportedError } from '../queue.errors.js';
import { mayBeLost, type Queues } from '../queues.js';
import { enqueueDirectly } from './direct-enqueue.js';
import type { QueueOutbox } from './queue-outbox.js';
import { sessionOf } from './sql-session.js';

/** Adds jobs in the caller's own transaction: what is rolled back was never added, what is committed is not lost. */
export class Outbox {
  constructor(
    private readonly queues: Queues,
    /** For stores that are not in the database of the module themselves. */
    private readonly waiting: QueueOutbox,
  ) {}

  /**
   * Adds a job that starts when the transaction commits, and not before: Redis need not be there.
   * @param tx a transaction of node-postgres, PGlite or Drizzle on the database of the module, or a function that sends one
   * statement in it.
   * @throws OutboxUnsupportedError, and what {@link JobQueue.add} says of options and data.
   */
  async add(
    tx: unknown,
    queue: string,
    name: string,
    data: unknown = {},
    options: JobOptions = {},
  ): Promise<{ id: string }> {
    const entry = this.queues.get(queue);
    if (entry === undefined) {
      throw new OutboxUnsupportedError(`There is no queue ${show(queue)}: register it with QueueModule.registerQueue`);
    }
    const draft = await entry.jobs.drafts.draft(name, data, options);
    const session = sessionOf(tx);
    if (!mayBeLost(entry.store)) return { id: await enqueueDirectly(session, draft) };
    if (this.waiting.exists) await this.waiting.insertIn(session, [draft]);
    else throw new OutboxUnsupportedError(`Queue ${show(queue)} has no outbox: give QueueModule a \`database\``);
    return { id: draft.id };
  }
}
