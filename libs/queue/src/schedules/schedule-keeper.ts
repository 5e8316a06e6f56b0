import type { LoggerService } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { isDeepStrictEqual } from 'node:util';
import type { StoredJobOptions } from '../jobs/job.check.js';
import { scheduleOf, type Timing } from './timing.js';

/** A schedule that the program declares. */
export interface DeclaredSchedule {
  /** The name of the jobs that it adds. */
  readonly name: string;
  readonly timing: Timing;
  readonly data: unknown;
}

type Kept = Awaited<ReturnType<Queue['getJobSchedulers']>>[number];

interface Template {
  readonly name: string;
  readonly data: unknown;
  readonly opts: DeclaredOptions;
}

/** What the jobs of a declared schedule carry. Others were made at run time, where nobody can set this, and are left alone. */
interface DeclaredOptions extends StoredJobOptions {
  readonly roost: StoredJobOptions['roost'] & { readonly declared: true };
}

/** Makes the schedules of one queue what the program declares. */
export class ScheduleKeeper {
  readonly #declared: ReadonlyMap<string, DeclaredSchedule>;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly queue: Queue,
    declared: readonly DeclaredSchedule[],
    private readonly logger: Pick<LoggerService, 'log' | 'error'>,
  ) {
    const byId = new Map<string, DeclaredSchedule>();
    for (const each of declared) {
      const base = `roost.${each.name.replaceAll(':', '.')}`;
      let id = base;
      for (let count = 2; byId.has(id); count++) id = `${base}.${count}`;
      byId.set(id, each);
    }
    this.#declared = byId;
  }

  /** Called at the boot, and whenever the store is there again: it may have come back empty. One run at a time. */
  reconcile(): Promise<void> {
    this.#running = this.#running.then(() =>
      this.#reconcile().catch((error: unknown) => {
        const { message } = error as Error;
        this.logger.error(`The schedules of "${this.queue.name}" could not be brought up to date: ${message}`, {
          event: 'queue.schedules',
          queue: this.queue.name,
        });
      }),
    );
    return this.#running;
  }

  async #reconcile(): Promise<void> {
    const kept = new Map((await this.queue.getJobSchedulers(0, -1, true)).map((each) => [each.key, each]));
    for (const [id, { template }] of kept) {
      if (!isDeclared(template?.opts) || this.#declared.has(id)) continue;
      await this.queue.removeJobScheduler(id);
      this.#tell('ended', id);
    }
    const defaults: StoredJobOptions = this.queue.defaultJobOptions;
    const opts: DeclaredOptions = { ...defaults, roost: { ...defaults.roost, declared: true } };
    for (const [id, { name, timing, data }] of this.#declared) {
      const schedule = scheduleOf(id, timing);
      // As it will be stored, to be compared with what is.
      const template = JSON.parse(JSON.stringify({ name, data: data ?? {}, opts })) as Template;
      if (await this.#isKept(kept.get(id), schedule, template)) continue;
      await this.queue.upsertJobScheduler(id, schedule, template);
      this.#tell('begun', id);
    }
  }

  /**
   * Left alone when it is the same: to write it again would drop a job that is due and was not run yet. Its next job has
   * to be there, too: a schedule without one never runs again (taskforcesh/bullmq#3063).
   */
  async #isKept(kept: Kept | undefined, schedule: ReturnType<typeof scheduleOf>, template: Template): Promise<boolean> {
    if (kept?.next === undefined) return false;
    const { pattern, tz, every } = schedule;
    const same =
      kept.pattern === pattern &&
      kept.tz === tz &&
      (every === undefined ? kept.every === undefined : Number(kept.every) === every) &&
      isDeepStrictEqual({ name: kept.name, data: kept.template?.data ?? {}, opts: kept.template?.opts }, template);
    return same && (await this.queue.getJob(`repeat:${kept.key}:${kept.next}`)) !== undefined;
  }

  #tell(what: 'begun' | 'ended', schedule: string): void {
    this.logger.log(`Schedule ${schedule} of "${this.queue.name}" has ${what}`, {
      event: `queue.schedule-${what}`,
      queue: this.queue.name,
      schedule,
    });
  }
}

function isDeclared(options: StoredJobOptions | undefined): boolean {
  return (options as Partial<DeclaredOptions> | undefined)?.roost?.declared === true;
}
