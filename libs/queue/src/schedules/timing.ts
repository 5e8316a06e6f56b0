import { show, toMs, type Duration } from '@roost/redis';
import type { RepeatOptions } from 'bullmq';
import { CronExpressionParser } from 'cron-parser';
import { InvalidJobError } from '../queue.errors.js';

/** When a job is added again and again: by a cron expression, or every so often. */
export interface Timing {
  /** Five fields, or six with seconds first. */
  readonly cron?: string;
  /** An IANA name. What a change to summer time skips runs right after it, what is there twice runs once. @default 'UTC' */
  readonly timezone?: string;
  /** Instead of `cron`. */
  readonly every?: Duration;
}

/** A schedule as it is kept. */
export interface Schedule {
  readonly id: string;
  /** Of the jobs that it adds. */
  readonly name: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly everyMs?: number;
  readonly nextAt?: Date;
  readonly data: unknown;
}

/**
 * The timing as BullMQ is given it.
 * @throws InvalidJobError for what does not exist, and for times that never come.
 */
export function scheduleOf(id: string, { cron, timezone = 'UTC', every }: Timing): Omit<RepeatOptions, 'key'> {
  const problems: string[] = [];
  if (typeof id !== 'string' || id === '' || id.includes(':') || id.includes('\u0000')) {
    problems.push(`Expected the id of a schedule to be a text without colons, got ${show(id)}`);
  }
  if ((cron === undefined) === (every === undefined)) problems.push('Expected either `cron` or `every`');
  let everyMs = 0;
  if (every !== undefined) {
    try {
      everyMs = toMs(every);
    } catch (error) {
      problems.push(`\`every\`: ${(error as Error).message}`);
    }
  }
  if (cron !== undefined) problems.push(...problemsOfCron(cron, timezone));
  if (problems.length > 0) throw new InvalidJobError(problems);
  return cron === undefined ? { every: everyMs } : { pattern: cron, tz: timezone };
}

function problemsOfCron(cron: string, timezone: string): string[] {
  const fields = typeof cron === 'string' ? cron.trim().split(/\s+/).length : 0;
  if (fields !== 5 && fields !== 6) return [`Expected \`cron\` to have five or six fields, got ${show(cron)}`];
  if (!isTimezone(timezone)) return [`There is no time zone ${show(timezone)}`];
  try {
    CronExpressionParser.parse(cron, { tz: timezone }).next();
    return [];
  } catch (error) {
    return [`Expected \`cron\` to name times that come, got ${show(cron)}: ${(error as Error).message}`];
  }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
