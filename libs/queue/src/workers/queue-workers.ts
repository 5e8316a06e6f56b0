import type { BullRegistrar, QueueEventsHost, WorkerHost } from '@nestjs/bullmq';
import type { LoggerService } from '@nestjs/common';
import { Worker, type Job, type QueueEvents } from 'bullmq';
import { within } from '../jobs/deadline.js';
import type { Lend } from '../stores/lent-connection.js';
import { ConflictingHandlersError } from '../queue.errors.js';
import type { QueueMetrics } from '../queue.metrics.js';
import type { QueueEntry } from '../queues.js';
import { dispatch, type Handlers } from './handlers.js';
import type { JobRunner } from './job-runner.js';
import type { RunningJobs } from './running-jobs.js';

const CLOSE_WITHIN_MS = 1_000;

export interface QueueWorkersParts {
  readonly runner: JobRunner;
  readonly running: RunningJobs;
  readonly metrics: QueueMetrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
  /** @throws UnregisteredQueueError */
  entryOf(queue: string): QueueEntry;
  lend(entry: QueueEntry): Lend;
  /** Called after each job of a queue. */
  readonly finished: (queue: string) => void;
}

/** What `@nestjs/bullmq` has made: who runs jobs, and who hears of them. */
export interface BullHosts {
  readonly workers: readonly WorkerHost[];
  readonly listeners: readonly QueueEventsHost[];
}

/** The workers of this process: one for each queue that has handlers, and those of `@nestjs/bullmq`. */
export class QueueWorkers {
  readonly #workers: Worker[] = [];
  readonly #listeners: QueueEvents[] = [];
  #stalled = 0;

  constructor(private readonly parts: QueueWorkersParts) {}

  get count(): number {
    return this.#workers.length;
  }

  /** How many jobs this process has taken from others that gave no sign of life. */
  get stalled(): number {
    return this.#stalled;
  }

  /**
   * Starts them. `hosts` are those with `@Processor`, whose workers the registrar makes.
   * @throws ConflictingHandlersError when both kinds would take jobs of one queue.
   */
  start(handlers: Handlers, registrar: BullRegistrar, hosts: () => BullHosts): void {
    registrar.register();
    const byHost = new Map<string, string[]>();
    const { workers, listeners } = hosts();
    for (const { queueEvents } of listeners) {
      this.#listeners.push(queueEvents);
      queueEvents.on('error', (error) => this.#report(queueEvents.name, error));
    }
    for (const host of workers) {
      const { worker } = host;
      this.#follow(worker);
      byHost.set(worker.name, [...(byHost.get(worker.name) ?? []), host.constructor.name]);
    }
    for (const [queue, names] of byHost) {
      if (names.length > 1) {
        const message = `Each job of queue "${queue}" goes to one of ${names.join(' and ')}, at random`;
        this.parts.logger.warn(message, { event: 'queue.conflict', queue });
      }
    }
    for (const [queue, byName] of handlers) {
      const hosted = byHost.get(queue);
      if (hosted) throw new ConflictingHandlersError(queue, [...hosted, ...[...byName.values()].map(({ at }) => at)]);
      this.#follow(this.#worker(queue, dispatch(queue, byName)));
    }
  }

  /** Nobody takes a job any more; those that run are told. */
  async stopTaking(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        // Told to wait, a worker would still take the job that it is woken for.
        const stopped = worker.pause(true).then(() => worker.getBackend().disconnectBlocking(false));
        await within(CLOSE_WITHIN_MS, stopped).catch(() => {}); // a store that is lost: then nobody wakes it either
      }),
    );
    this.parts.running.tell();
  }

  /** Waits for the jobs that run, gives back what does not end in time, and closes the workers. */
  async drain(ms: number): Promise<void> {
    await this.stopTaking();
    const late = await this.parts.running.drain(ms);
    if (late > 0) this.parts.logger.warn(`Handed ${late} jobs back`, { event: 'queue.handed-back', jobs: late });
    const close = (name: string, closing: Promise<void>) =>
      within(CLOSE_WITHIN_MS, closing).catch((error: unknown) => this.#report(name, error));
    await Promise.all([
      ...this.#workers.map((worker) => close(worker.name, worker.close(true))),
      ...this.#listeners.map((events) => close(events.name, events.close())),
    ]);
  }

  #worker(queue: string, body: ReturnType<typeof dispatch>): Worker {
    const entry = this.parts.entryOf(queue);
    const { concurrency, limiter, lockMs, stalledMs, maxStalledCount } = entry.settings;
    const process = (job: Job, token = '') => this.parts.runner.run(job, token, body);
    return new Worker(queue, process, {
      ...this.parts.lend(entry),
      concurrency,
      ...(limiter && { limiter }),
      lockDuration: lockMs,
      stalledInterval: stalledMs,
      maxStalledCount,
      runRetryDelay: 1_000,
    });
  }

  #follow(worker: Worker): void {
    const { metrics, finished } = this.parts;
    const queue = worker.name;
    this.#workers.push(worker);
    worker.on('error', (error) => this.#report(queue, error));
    worker.on('completed', (job) => {
      this.parts.running.told(job);
      metrics.ended(queue, 'completed');
      finished(queue);
    });
    worker.on('failed', (job, error) => {
      if (job) this.parts.running.told(job);
      const dead = job?.finishedOn !== undefined;
      metrics.ended(queue, dead ? 'dead' : 'failed');
      if (dead) this.#mourn(job, error);
      finished(queue);
    });
    worker.on('lockRenewalFailed', (ids) => this.#lost(queue, this.parts.running.lost(queue, ids)));
    worker.on('stalled', (id) => {
      this.#stalled++;
      metrics.ended(queue, 'stalled');
      this.parts.logger.warn(`Job ${id} of "${queue}" is taken from a process that gives no sign of life`, {
        event: 'queue.stalled',
        queue,
        job: id,
      });
    });
  }

  #lost(queue: string, { length: jobs, [0]: job }: readonly string[]): void {
    if (jobs === 0) return;
    const which = jobs === 1 ? `the lock of job ${job}` : `the locks of ${jobs} jobs, as of ${job},`;
    const text = `A worker of "${queue}": ${which} could not be renewed: others may run what it runs`;
    this.parts.logger.error(text, { event: 'queue.worker', queue, jobs });
  }

  #mourn({ id, name, queueName: queue, attemptsMade }: Job, { message }: Error): void {
    const text = `Job ${id} (${name}) of "${queue}" is a dead letter after ${attemptsMade} attempts: ${message}`;
    this.parts.logger.warn(text, { event: 'queue.dead-letter', queue, job: id, name });
  }

  #report(queue: string, error: unknown): void {
    const { message = String(error), stack } = (error ?? {}) as Partial<Error>; // what a listener throws
    // Of locks BullMQ tells one by one, beside `lockRenewalFailed` for all of them.
    if (String(message).startsWith('could not renew lock for job')) return;
    this.parts.logger.error(`A worker of "${queue}": ${message}`, { event: 'queue.worker', queue, stack });
  }
}
