import type { BullRegistrar } from '@nestjs/bullmq';
import type { LoggerService } from '@nestjs/common';
import type { HealthReport, Metrics, RedisConnection } from '@roost/redis';
import { within } from './jobs/deadline.js';
import { Fairness } from './limits/fairness.js';
import { Outbox } from './outbox/outbox.js';
import { QueueOutbox } from './outbox/queue-outbox.js';
import { QueueCensus, queueReport } from './queue.census.js';
import type { QueueConfig } from './queue.config.js';
import type { QueueMetrics } from './queue.metrics.js';
import { UnregisteredQueueError } from './queue.errors.js';
import { Queues, type QueueEntry } from './queues.js';
import type { QueueStores } from './queue.stores.js';
import { ScheduleKeeper } from './schedules/schedule-keeper.js';
import type { Handlers } from './workers/handlers.js';
import { JobRunner } from './workers/job-runner.js';
import { KeyGate } from './workers/key-gate.js';
import { keyLimitsOf } from './workers/key-limits-of.js';
import { QueueWorkers, type BullHosts } from './workers/queue-workers.js';
import { RunningJobs } from './workers/running-jobs.js';

const CLOSE_WITHIN_MS = 1_000;

export interface QueueRoomParts {
  readonly config: QueueConfig;
  readonly stores: QueueStores;
  readonly connection: RedisConnection;
  readonly metrics: QueueMetrics;
  readonly registry: Metrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
}

/** All that one application has of queues, put together. */
export class QueueRoom {
  readonly queues: Queues;
  readonly outbox: Outbox;
  readonly runner: JobRunner;
  readonly #census: QueueCensus;
  readonly #workers: QueueWorkers;
  readonly #waiting: QueueOutbox;
  readonly #gates = new Map<string, Promise<KeyGate>>();
  readonly #fairness = new Map<string, Fairness>();
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(private readonly parts: QueueRoomParts) {
    const { config, stores, metrics, registry, logger } = parts;
    const now = () => config.clock.now();
    const report = (queue: string, error: unknown) => this.#report(queue, error);
    this.queues = new Queues({
      config,
      stores,
      metrics,
      outbox: () => (this.#waiting.exists ? this.#waiting : undefined),
      onError: report,
    });
    this.#waiting = new QueueOutbox({ stores, queues: this.queues, registry, logger });
    this.outbox = new Outbox(this.queues, this.#waiting);
    const running = new RunningJobs((error) => report('', error));
    const settingsOf = (queue: string) => this.queues.get(queue)?.settings;
    this.runner = new JobRunner({ running, metrics, now, settingsOf, gateOf: (queue) => this.#gateOf(queue) });
    this.#workers = new QueueWorkers({
      runner: this.runner,
      running,
      metrics,
      logger,
      entryOf: (queue) => this.#entryOf(queue),
      lend: (entry) => stores.lend(entry.store),
      finished: (queue) => this.#fairnessOf(queue)?.finished(),
    });
    this.#census = new QueueCensus(this.queues, metrics, now);
  }

  /** Opens the outbox, and lets its relay run: every process that has queues moves what waits. */
  async open(): Promise<void> {
    await this.#waiting.open();
    this.#census.start();
  }

  /** Fails the boot when jobs must not be kept where they are. */
  settle(): Promise<void> {
    return this.parts.stores.settle();
  }

  /** Starts the workers, once the whole application is up. */
  start(handlers: Handlers, registrar: BullRegistrar, hosts: () => BullHosts): void {
    this.#keepSchedules(handlers);
    this.#workers.start(handlers, registrar, hosts);
  }

  report(): HealthReport {
    const { count: workers, stalled } = this.#workers;
    return queueReport(this.queues, this.#census, { workers, stalled, outbox: this.#waiting.report() });
  }

  /** Takes no job any more; those that run are told. */
  stopTaking(): Promise<void> {
    return this.#workers.stopTaking();
  }

  /** Waits for the jobs that run, and gives the rest back. May be called twice. */
  drain(): Promise<void> {
    return (this.#drained ??= this.#workers.drain(this.parts.config.drainMs));
  }

  /** Closes everything; nobody adds jobs any more. May be called twice. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.drain();
    this.#census.stop();
    await this.#waiting.close();
    // A place that cannot be given back is free when its lease ends.
    await Promise.allSettled(
      [...this.#gates.values()].map((gate) =>
        within(
          CLOSE_WITHIN_MS,
          gate.then((each) => each.close()),
        ),
      ),
    );
    await this.queues.close();
    await this.parts.stores.close();
  }

  #keepSchedules(handlers: Handlers): void {
    for (const [name, byJob] of handlers) {
      const { queue, store } = this.#entryOf(name);
      const declared = [...byJob].flatMap(([job, { schedules }]) => schedules.map((each) => ({ name: job, ...each })));
      const keeper = new ScheduleKeeper(queue, declared, this.parts.logger);
      store.onReady(() => void keeper.reconcile());
    }
  }

  #entryOf(queue: string): QueueEntry {
    const entry = this.queues.get(queue);
    if (entry === undefined) throw new UnregisteredQueueError(queue);
    return entry;
  }

  #gateOf(queue: string): Promise<KeyGate> {
    let gate = this.#gates.get(queue);
    if (gate === undefined) {
      const { store, settings } = this.#entryOf(queue);
      const now = () => this.parts.config.clock.now();
      gate = keyLimitsOf(store.name, this.parts, now).then(
        (limits) =>
          new KeyGate(
            limits,
            settings.lockMs, // what a job that was taken over would wait for beyond its lock
            (error) => this.#report(queue, error),
            (id, started) => this.#promote(queue, id, started),
          ),
      );
      gate.catch(() => this.#gates.delete(queue)); // whoever waits for it is told, and the next one tries again
      this.#gates.set(queue, gate);
    }
    return gate;
  }

  /** Lets a job come that was sent away; one that has run meanwhile, and waits for another reason, is left alone. */
  async #promote(name: string, id: string, attemptsStarted: number): Promise<void> {
    const job = await this.#entryOf(name).queue.getJob(id);
    if (job?.attemptsStarted === attemptsStarted) await job.promote();
  }

  #fairnessOf(name: string): Fairness | undefined {
    const entry = this.queues.get(name);
    if (entry === undefined) return undefined;
    let fairness = this.#fairness.get(name);
    if (fairness === undefined) {
      fairness = new Fairness({
        every: entry.settings.fairnessEvery,
        leastUrgent: () => entry.store.leastUrgent(name),
        promote: (id) => entry.queue.getBackend().changePriority(id, 0, true),
        // A job that somebody else has finished meanwhile cannot be moved, and need not.
        onError: (error) => /Missing key/.test(String(error)) || this.#report(name, error),
      });
      this.#fairness.set(name, fairness);
    }
    return fairness;
  }

  #report(queue: string, error: unknown): void {
    this.parts.logger.error(`Queue "${queue}": ${(error as Error).message}`, { event: 'queue.error', queue });
  }
}
