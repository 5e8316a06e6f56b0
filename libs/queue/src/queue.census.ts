import { defined, outsideRequests, type HealthReport } from '@roost/redis';
import { within } from './jobs/deadline.js';
import type { QueueMetrics, ShownQueue } from './queue.metrics.js';
import type { QueueEntry, Queues } from './queues.js';

const EVERY_MS = 10_000;
const WITHIN_MS = 2_000;
const STATES = ['waiting', 'prioritized', 'delayed', 'active', 'failed'] as const;

/** Looks at the queues in the background, so that metrics and health can be asked without waiting for a store. */
export class QueueCensus {
  readonly #seen = new Map<string, ShownQueue>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly queues: Queues,
    private readonly metrics: QueueMetrics,
    private readonly now: () => number,
  ) {}

  /** Looks at the queues of each store as soon as that is there, and then now and again. */
  start(): void {
    this.#timer = outsideRequests(() => setInterval(() => void this.#look(this.queues.all()), EVERY_MS).unref());
    for (const each of new Set(this.queues.all().map(({ store }) => store))) {
      each.onReady(() => void this.#look(this.queues.all().filter(({ store }) => store === each)));
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What was last seen, the worst of all queues first; a store that cannot be reached is told by its own report. */
  report(): Record<string, unknown> {
    const seen = [...this.#seen.values()];
    const queues = [...this.#seen].map(([queue, { counts, oldestMs, driftMs }]) => [
      queue,
      { ...counts, oldestWaitingMs: oldestMs, scheduleDriftMs: driftMs },
    ]);
    return {
      failed: seen.reduce((sum, { counts }) => sum + (counts['failed'] ?? 0), 0),
      oldestWaitingMs: Math.max(0, ...seen.map(({ oldestMs }) => oldestMs)),
      scheduleDriftMs: Math.max(0, ...seen.map(({ driftMs }) => driftMs)),
      queues: Object.fromEntries(queues) as unknown,
    };
  }

  async #look(entries: readonly QueueEntry[]): Promise<void> {
    await Promise.all(
      entries.map(async (entry) => {
        if (entry.store.trouble !== undefined) return;
        const seen = await within(WITHIN_MS, this.#lookAt(entry)).catch(() => undefined); // seen the next time
        if (seen === undefined) return;
        this.#seen.set(entry.queue.name, seen);
        this.metrics.shows(entry.queue.name, seen);
      }),
    );
  }

  async #lookAt({ queue, store }: QueueEntry): Promise<ShownQueue> {
    const [counts, [oldest], least, schedules] = await Promise.all([
      queue.getJobCounts(...STATES),
      queue.getJobs(['waiting'], 0, 0, true),
      store.leastUrgent(queue.name),
      queue.getJobSchedulers(0, 0, true),
    ]);
    const lowest = least === undefined ? undefined : await queue.getJob(least);
    const ages = [oldest, lowest].map((job) => (job ? this.now() - job.timestamp - (job.delay || 0) : 0));
    const late = schedules.map(({ next }) => (next === undefined ? 0 : this.now() - next));
    return { counts, oldestMs: Math.max(0, ...ages), driftMs: Math.max(0, ...late) };
  }
}

/** What this process does with queues. */
interface OwnReport {
  readonly workers: number;
  /** Jobs taken from processes that gave no sign of life. */
  readonly stalled: number;
  readonly outbox: unknown;
}

/** What health shows of all queues. */
export function queueReport(queues: Queues, census: QueueCensus, own: OwnReport): HealthReport {
  const troubles = queues.all().flatMap(({ store }) => (store.trouble === undefined ? [] : [store.trouble]));
  return {
    status: troubles.length === 0 ? 'up' : 'degraded',
    reason: troubles[0] ?? null,
    backends: [...new Set(queues.all().map(({ store }) => store.name))],
    ...defined(own),
    ...census.report(),
  };
}
