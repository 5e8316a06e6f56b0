import { Injectable } from '@nestjs/common';
import { LATENCY_BUCKETS, Metrics } from '@roost/redis';
import type { Job } from 'bullmq';

/** What became of adding a job. */
type Added = 'store' | 'outbox' | 'unavailable' | 'refused';
/** What became of an attempt; `dead` has no attempt left. */
type Ended = 'completed' | 'failed' | 'dead' | 'stalled';

const WAITS = [...LATENCY_BUCKETS, 5, 10, 30, 60, 300, 900, 3_600];

/** What queues tell of themselves; never which job. */
@Injectable()
export class QueueMetrics {
  readonly #added;
  readonly #ended;
  readonly #wait;
  readonly #run;
  readonly #jobs;
  readonly #oldest;
  readonly #drift;
  #refresh: () => void = () => {};

  constructor(metrics: Metrics) {
    this.#added = metrics.counter('roost_queue_added_total', 'Jobs that were added, by where they went', [
      'queue',
      'outcome',
    ]);
    this.#ended = metrics.counter('roost_queue_attempts_total', 'Attempts of jobs in this process, by their end', [
      'queue',
      'outcome',
    ]);
    this.#wait = metrics.histogram(
      'roost_queue_wait_seconds',
      'Time from when a job could start to its start',
      ['queue'],
      WAITS,
    );
    this.#run = metrics.histogram('roost_queue_run_seconds', 'Time that handlers of jobs took', ['queue'], WAITS);
    const refresh = () => this.#refresh();
    this.#jobs = metrics.gauge('roost_queue_jobs', 'Jobs by their state', ['queue', 'state'], refresh);
    this.#oldest = metrics.gauge('roost_queue_oldest_waiting_seconds', 'Age of the job that waits longest', ['queue']);
    this.#drift = metrics.gauge(
      'roost_queue_schedule_drift_seconds',
      'By how much the schedule that is latest is late',
      ['queue'],
    );
  }

  /** Called before each scrape, to set the gauges. */
  beforeScrape(refresh: () => void): void {
    this.#refresh = refresh;
  }

  added(queue: string, outcome: Added, count = 1): void {
    this.#added.inc({ queue, outcome }, count);
  }

  /** Call what it returns at the end. */
  started(job: Job, now: number): () => void {
    const dueAt = job.timestamp + (job.delay || 0);
    this.#wait.labels({ queue: job.queueName }).observe(Math.max(now - dueAt, 0) / 1_000);
    const from = performance.now();
    return () => this.#run.labels({ queue: job.queueName }).observe((performance.now() - from) / 1_000);
  }

  ended(queue: string, outcome: Ended): void {
    this.#ended.inc({ queue, outcome });
  }

  shows(queue: string, { counts, oldestMs, driftMs }: ShownQueue): void {
    for (const [state, count] of Object.entries(counts)) this.#jobs.set({ queue, state }, count);
    this.#oldest.set({ queue }, oldestMs / 1_000);
    this.#drift.set({ queue }, driftMs / 1_000);
  }
}

/** What was last seen of a queue. */
export interface ShownQueue {
  readonly counts: Readonly<Record<string, number>>;
  readonly oldestMs: number;
  readonly driftMs: number;
}
