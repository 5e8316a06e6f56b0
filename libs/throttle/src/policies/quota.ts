import { show, toMs, type Duration } from '@roost/redis';
import { IANAZone } from 'luxon';
import { ALGORITHMS, type AlgorithmName, type Quota } from '../algorithms/algorithm.js';
import type { CalendarUnit, LimitOptions } from '../throttle.options.js';

const MAX_WINDOW_MS = 366 * 86_400_000;
/** Each unit of these takes memory. */
const MAX_REMEMBERED = 10_000;
/** Four times as much, which is both windows full of debt, is still an integer. */
const MAX_WEIGHT = 2 ** 50;
/** For headers: how long the windows of the calendar usually are, or at most. */
const CALENDAR_MS: Readonly<Record<CalendarUnit, number>> = { day: 86_400_000, month: 31 * 86_400_000 };

/** What is wrong with a limit and its window, if anything. */
export function quotaProblem({ limit, windowUs }: Quota, algorithm: AlgorithmName = 'gcra'): string | undefined {
  if (!Number.isSafeInteger(limit) || limit < 0) {
    return `Expected \`limit\` to be a positive integer (or 0 to refuse all), got ${show(limit)}`;
  }
  if (windowUs > MAX_WINDOW_MS * 1_000) return 'Expected `window` to be at most 366d';
  if (windowUs < limit) return `Expected \`window\` to last at least 1 µs per request, got ${windowUs} µs for ${limit}`;
  if ((algorithm === 'sliding-log' || algorithm === 'concurrency') && limit > MAX_REMEMBERED) {
    return `Expected \`limit\` to be at most ${MAX_REMEMBERED} with algorithm '${algorithm}', got ${show(limit)}`;
  }
  if (algorithm === 'sliding-window' && limit * (windowUs / 1_000) > MAX_WEIGHT) {
    return `Expected \`limit\` times \`window\` in ms to be at most 2^50 with algorithm 'sliding-window', got ${show(limit)} per ${windowUs / 1_000} ms`;
  }
  return undefined;
}

/** How a limit counts: by the calendar when its window says so. */
export function algorithmOf({ algorithm = 'gcra', window }: LimitOptions): AlgorithmName {
  return isCalendarUnit(window) ? 'calendar' : algorithm;
}

/** The quota of options that `quotaProblems` finds nothing wrong with, and whose limit is a number. */
export function quotaOf({ limit, window, timeZone = 'UTC' }: LimitOptions): Quota {
  if (!isCalendarUnit(window)) return { limit: limit as number, windowUs: toMs(window as Duration) * 1_000 };
  return { limit: limit as number, windowUs: CALENDAR_MS[window] * 1_000, calendar: { unit: window, timeZone } };
}

/** What is wrong with limit, window, time zone and algorithm together. */
export function quotaProblems(options: LimitOptions): string[] {
  const { limit, window, timeZone, algorithm } = options;
  const problems: string[] = [];
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm)) {
    const names = ALGORITHMS.map((name) => `'${name}'`).join(', ');
    problems.push(`Expected \`algorithm\` to be one of ${names}, got ${show(algorithm)}`);
  }
  if (isCalendarUnit(window)) {
    if (algorithm !== undefined && algorithm !== 'fixed-window' && algorithm !== 'calendar') {
      problems.push(`Expected no \`algorithm\` with window '${window}', got ${show(algorithm)}`);
    }
    if (timeZone !== undefined && !(typeof timeZone === 'string' && IANAZone.isValidZone(timeZone))) {
      problems.push(`Expected \`timeZone\` to be the IANA name of a time zone, got ${show(timeZone)}`);
    }
  } else {
    if (timeZone !== undefined) problems.push("Expected `timeZone` only with window 'day' or 'month'");
    if (algorithm === 'calendar') problems.push("Expected `window` to be 'day' or 'month' with algorithm 'calendar'");
  }
  if (typeof limit !== 'number') return [...problems, ...otherLimitProblems(options)];
  try {
    const problem = quotaProblem(quotaOf(options), algorithmOf(options));
    if (problem) problems.push(problem);
  } catch (error) {
    problems.push(`\`window\`: ${(error as Error).message}`);
  }
  return problems;
}

function otherLimitProblems({ limit, window }: LimitOptions): string[] {
  if (limit !== 'unlimited' && limit !== 'byTier') {
    return [`Expected \`limit\` to be a positive integer, 'unlimited' or 'byTier', got ${show(limit)}`];
  }
  return window === undefined ? [] : [`Expected no \`window\` with limit '${limit}'`];
}

function isCalendarUnit(window: unknown): window is CalendarUnit {
  return window === 'day' || window === 'month';
}
