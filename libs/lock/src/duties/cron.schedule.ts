import { Cron } from 'croner';
import { outsideRequests } from '@roost/redis';

/**
 * When a cron pattern fires. At the change to summer time a fixed time that does not exist fires at the first that does;
 * at the change back, one that exists twice fires once. What fires by intervals skips the hour, or fires in both.
 */
export class CronSchedule {
  readonly #cron: Cron;

  /** @throws Error that says what is wrong with the pattern or the time zone, or that it never fires. */
  constructor(pattern: string, timezone: string) {
    this.#cron = new Cron(pattern, { timezone, paused: true });
    if (this.#cron.nextRun() === null) throw new Error('it never fires');
  }

  /** The first fire after a moment, both in ms since 1970; undefined when there is none. */
  after(ms: number): number | undefined {
    return this.#cron.nextRun(new Date(ms))?.getTime();
  }
}

/** What tells the time of fires; also the DI token for it. */
export abstract class CronClock {
  /** Ms since 1970, which may be stepped. */
  abstract now(): number;
  /** Calls once after so many ms, unless the returned function is called before. */
  abstract after(ms: number, call: () => void): () => void;
}

/** The clock of this machine. Its timers keep the process alive: to wait for a fire is a reason to live. */
export class SystemCronClock extends CronClock {
  now(): number {
    return Date.now();
  }

  after(ms: number, call: () => void): () => void {
    const timer = outsideRequests(() => setTimeout(call, ms));
    return () => clearTimeout(timer);
  }
}

/** The clock is looked at again after so long: it may have been stepped, or the machine have slept. */
const LONGEST_SLEEP_MS = 60_000;

/**
 * Calls at each fire with its time, until the returned function is called. Of the fires that passed while nobody could
 * look, those that are over for more than `lateMs` are left out; the first of them is called all the same, so that
 * it can be told.
 */
export function atEachFire(
  schedule: Pick<CronSchedule, 'after'>,
  lateMs: number,
  clock: CronClock,
  onFire: (fireMs: number) => void,
): () => void {
  let cancel: () => void;
  let stopped = false;
  const wait = (fire: number | undefined): void => {
    if (fire === undefined || stopped) return;
    const sleepMs = Math.min(Math.max(fire - clock.now(), 0), LONGEST_SLEEP_MS);
    cancel = clock.after(sleepMs, () => {
      if (clock.now() < fire) return wait(fire);
      wait(schedule.after(Math.max(fire, clock.now() - lateMs - 1)));
      onFire(fire);
    });
  };
  wait(schedule.after(clock.now()));
  return () => {
    stopped = true;
    cancel?.();
  };
}
