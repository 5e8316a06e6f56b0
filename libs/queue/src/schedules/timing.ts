import { show, type Duration } from '@roost/redis';
import type { RepeatOptions } from 'bullmq';
import { CronExpressionParser } from 'cron-parser';
import { durationIn, isText, objectIn } from '../options.check.js';
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

const KNOWN: ReadonlySet<string> = new Set(['cron', 'timezone', 'every'] satisfies (keyof Timing)[]);

/**
 * The timing as BullMQ is given it.
 * @param when a cron expression, or a timing.
 * @param timezone that of the expression, where the timing names none.
 * @param problems what else is wrong, to be named together with what is wrong here.
 * @throws InvalidJobError for what does not exist, and for times that never come.
 */
export function scheduleOf(
  id: string,
  when: string | Timing,
  timezone?: string,
  problems: string[] = [],
): Omit<RepeatOptions, 'key'> {
  if (!isText(id) || id.includes(':')) {
    problems.push(`Expected the id of a schedule to be a text without colons, got ${show(id)}`);
  }
  const timing = typeof when === 'string' ? { cron: when } : objectIn<Timing>('timing', when, KNOWN, problems);
  const compiled = timing && compile(timing, timezone, problems);
  if (problems.length > 0) throw new InvalidJobError(problems);
  return compiled!;
}

function compile(timing: Timing, beside: string | undefined, problems: string[]): Omit<RepeatOptions, 'key'> {
  const { cron, every, timezone = beside } = timing;
  if ((cron === undefined) === (every === undefined)) problems.push('Expected either `cron` or `every`');
  if (every !== undefined && timezone !== undefined) problems.push('Expected `timezone` with `cron` only');
  if (timezone !== beside && beside !== undefined) problems.push('Expected one `timezone`, got two');
  if (cron === undefined) return { every: durationIn('every', every, problems)! };
  const tz = timezone === undefined ? 'UTC' : timezone;
  problems.push(...problemsOfCron(cron, tz));
  return { pattern: cron, tz };
}

function problemsOfCron(cron: string, timezone: string): string[] {
  const fields = typeof cron === 'string' ? cron.trim().split(/\s+/).length : 0;
  const problems = isTimezone(timezone) ? [] : [`There is no time zone ${show(timezone)}`];
  if (fields !== 5 && fields !== 6) {
    problems.unshift(`Expected \`cron\` to have five or six fields, got ${show(cron)}`);
  }
  if (problems.length > 0) return problems;
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
