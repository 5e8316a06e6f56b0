import { Deduplications } from './deduplications.js';
import { EventStream } from './event-stream.js';
import { JobWaiters } from './job-waiters.js';
import { JobMetrics } from './job-metrics.js';
import { createJob, type MemoryJob, type MemoryJobDraft } from './memory-job.js';
import type { QueueClock } from './queue-clock.js';
import { RateLimiter } from './rate-limiter.js';
import { SortedIds } from './sorted-ids.js';

/** What is known of a job scheduler, in the words in which it is asked for. */
export type SchedulerFields = Record<string, string>;

/** The other queues, into which flows reach. */
export interface NeighbourQueues {
  readonly clock: QueueClock;
  /** The queue and the id that a job's key stands for, whether there is such a job or not. */
  locate(key: string): { queue: MemoryQueue; id: string } | undefined;
  job(key: string): { queue: MemoryQueue; job: MemoryJob } | undefined;
}

const MAX_EVENTS = 10_000;

/** Everything that one queue holds. Lines are kept in the order in which jobs are taken. */
export class MemoryQueue {
  readonly jobs = new Map<string, MemoryJob>();
  readonly wait = new SortedIds();
  readonly active = new SortedIds();
  readonly prioritized = new SortedIds();
  readonly delayed = new SortedIds();
  readonly waitingChildren = new SortedIds();
  readonly completed = new SortedIds();
  readonly failed = new SortedIds();
  /** Schedulers by when they are due next. */
  readonly schedules = new SortedIds();
  readonly schedulers = new Map<string, SchedulerFields>();
  readonly meta = new Map<string, string>();
  readonly stalled = new Set<string>();
  readonly events: EventStream;
  readonly limiter: RateLimiter;
  readonly waiters: JobWaiters;
  readonly deduplications: Deduplications;
  readonly metrics = { completed: new JobMetrics(), failed: new JobMetrics() };
  /** Until when nobody looks for stalled jobs again. */
  stalledCheckedUntil = -Infinity;
  #lastId = 0;
  #rank = 0;

  constructor(
    readonly key: string,
    readonly queues: NeighbourQueues,
  ) {
    this.events = new EventStream(queues.clock);
    this.limiter = new RateLimiter(queues.clock);
    this.waiters = new JobWaiters(queues.clock);
    this.deduplications = new Deduplications(queues.clock);
  }

  get clock(): QueueClock {
    return this.queues.clock;
  }

  get paused(): boolean {
    return this.meta.has('paused');
  }

  /** Whether as many jobs run as may at once. */
  get maxed(): boolean {
    const concurrency = this.meta.get('concurrency');
    return concurrency !== undefined && this.active.size >= Number(concurrency);
  }

  keyOf(id: string): string {
    return `${this.key}:${id}`;
  }

  nextId(): string {
    return `${++this.#lastId}`;
  }

  /** The jobs in a state, by either of its names. */
  inState(state: string): SortedIds | undefined {
    switch (state) {
      case 'waiting':
      case 'wait':
        return this.wait;
      case 'waiting-children':
        return this.waitingChildren;
      case 'repeat':
        return this.schedules;
      case 'active':
      case 'prioritized':
      case 'delayed':
      case 'completed':
      case 'failed':
        return this[state];
      default:
        return undefined;
    }
  }

  emit(event: string, fields: Readonly<Record<string, string | number>> = {}): void {
    this.events.append({ event, ...fields }, Number(this.meta.get('opts.maxLenEvents') ?? MAX_EVENTS));
  }

  store(id: string, draft: MemoryJobDraft): MemoryJob {
    const job = createJob(id, this.keyOf(id), draft);
    this.jobs.set(id, job);
    this.emit('added', { jobId: id, name: job.name });
    return job;
  }

  /** Puts a job behind those that are as urgent. */
  enqueue(job: MemoryJob, { lifo = false } = {}): void {
    if (job.priority > 0) this.prioritized.add(job.id, job.priority, ++this.#rank);
    else if (lifo) this.wait.addFirst(job.id);
    else this.wait.addLast(job.id);
    this.waiters.check();
  }

  /** Puts a job before those that are as urgent. */
  enqueueFirst(job: MemoryJob): void {
    if (job.priority > 0) this.prioritized.add(job.id, job.priority);
    else this.wait.addFirst(job.id);
    this.waiters.check();
  }

  postpone(job: MemoryJob, dueAt: number): void {
    this.delayed.add(job.id, dueAt, ++this.#rank);
    this.emit('delayed', { jobId: job.id, delay: dueAt });
    this.waiters.check();
  }

  /** Puts a job that was just stored where its options want it. */
  place(job: MemoryJob, lifo: boolean | undefined): void {
    if (job.delay > 0) {
      this.postpone(job, job.timestamp + job.delay);
      return;
    }
    this.enqueue(job, { lifo });
    this.emit('waiting', { jobId: job.id });
  }

  /** Forgets everything. */
  clear(): void {
    for (const state of [this.wait, this.active, this.prioritized, this.delayed]) state.clear();
    for (const state of [this.waitingChildren, this.completed, this.failed, this.schedules]) state.clear();
    for (const map of [this.jobs, this.schedulers, this.meta, this.stalled]) map.clear();
    this.metrics.completed = new JobMetrics();
    this.metrics.failed = new JobMetrics();
    this.events.trim(0);
    this.stalledCheckedUntil = -Infinity;
    this.#lastId = 0;
  }
}
