import type { LoggerService } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { isDeepStrictEqual } from 'node:util';
import { scheduleOf, type Timing } from './timing.js';

/** A schedule that the program declares. */
export interface DeclaredSchedule {
  /** The name of the jobs that it adds. */
  readonly name: string;
  readonly timing: Timing;
  readonly data: unknown;
}

/** What the ids of declared schedules begin with: others were made at run time, and are left alone. */
const DECLARED = 'roost.';

type Kept = Awaited<ReturnType<Queue['getJobSchedulers']>>[number];

/** Makes the schedules of one queue what the program declares. */
export class ScheduleKeeper {
  readonly #declared: ReadonlyMap<string, DeclaredSchedule>;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly queue: Queue,
    declared: readonly DeclaredSchedule[],
    private readonly logger: Pick<LoggerService, 'log' | 'error'>,
  ) {
    const counts = new Map<string, number>();
    this.#declared = new Map(
      declared.map((each) => {
        const count = (counts.get(each.name) ?? 0) + 1;
        counts.set(each.name, count);
        return [`${DECLARED}${each.name}${count === 1 ? '' : `.${count}`}`, each];
      }),
    );
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
    for (const id of kept.keys()) {
      if (!id.startsWith(DECLARED) || this.#declared.has(id)) continue;
      await this.queue.removeJobScheduler(id);
      this.#tell('ended', id);
    }
    for (const [id, declared] of this.#declared) {
      if (await this.#isKept(kept.get(id), declared)) continue;
      const { name, timing, data } = declared;
      await this.queue.upsertJobScheduler(id, scheduleOf(id, timing), { name, data, opts: {} });
      this.#tell('begun', id);
    }
  }

  /**
   * Left alone when it is the same: to write it again would drop a job that is due and was not run yet. Its next job has
   * to be there, too: a schedule without one never runs again (taskforcesh/bullmq#3063).
   */
  async #isKept(kept: Kept | undefined, { name, timing, data }: DeclaredSchedule): Promise<boolean> {
    if (kept?.next === undefined) return false;
    const { pattern, tz, every } = scheduleOf(kept.key, timing);
    const same =
      kept.name === name &&
      kept.pattern === pattern &&
      kept.tz === tz &&
      (every === undefined ? kept.every === undefined : Number(kept.every) === every) &&
      isDeepStrictEqual(kept.template?.data ?? {}, data);
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
