import { show, toMs } from '@roost/redis';
import type { CacheResponseOptions } from './http-cache.options.js';

type Check = (value: unknown) => string | undefined;

const duration: Check = (value) => {
  try {
    toMs(value as never);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};
const durationOrZero: Check = (value) => (value === 0 ? undefined : duration(value));
const aFunction = kind('a function', (value) => typeof value === 'function');

/** One row for each option. */
const checks: Record<keyof CacheResponseOptions, Check> = {
  ttl: duration,
  grace: durationOrZero,
  tags: kind('an array of strings, or a function', (value) => typeof value === 'function' || isNames(value)),
  scope: kind("'public'", (value) => value === 'public'),
  varyBy: aFunction,
  vary: kind('an array of header names other than *', (value) => isNames(value) && value.every(isHeaderName)),
  methods: kind(
    "an array of 'GET' and 'POST'; a HEAD is answered from its GET",
    (value) => isNames(value) && value.every(isMethod),
  ),
  statuses: kind('an array of statuses from 200 to 499', (value) => Array.isArray(value) && value.every(isStatus)),
  headers: kind(
    'an array of header names without Set-Cookie',
    (value) => isNames(value) && value.every((name) => isHeaderName(name) && name.toLowerCase() !== 'set-cookie'),
  ),
  query: kind('{ allow?, ignore? } with arrays of strings', isQuery),
  key: aFunction,
  maxAge: durationOrZero,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  obeyRequests: kind('true or false', (value) => typeof value === 'boolean'),
  softTimeout: duration,
  hardTimeout: duration,
};

/** What is wrong with the options of a route. */
export function problemsOf(written: unknown): string[] {
  if (typeof written !== 'object' || written === null)
    return [`Expected options such as { ttl }, got ${show(written)}`];
  const problems = Object.entries(written).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (!Object.hasOwn(checks, name)) return [`Unknown option \`${name}\``];
    const problem = checks[name as keyof CacheResponseOptions](value);
    return problem === undefined ? [] : [`\`${name}\`: ${problem}`];
  });
  const { scope, varyBy, maxAge, staleWhileRevalidate, staleIfError } = written as CacheResponseOptions;
  if (scope !== undefined && varyBy !== undefined) {
    problems.push("`scope: 'public'` shares with everybody and `varyBy` does not: leave one of them out");
  }
  if (maxAge === undefined && (staleWhileRevalidate ?? staleIfError) !== undefined) {
    problems.push('`staleWhileRevalidate` and `staleIfError` need `maxAge`');
  }
  return problems;
}

function kind(expected: string, holds: (value: unknown) => boolean): Check {
  return (value) => (holds(value) ? undefined : `Expected ${expected}, got ${show(value)}`);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '');
}

function isHeaderName(name: string): boolean {
  return /^[\w!#$%&'+.^`|~-]+$/.test(name);
}

function isMethod(name: string): boolean {
  return ['GET', 'POST'].includes(name);
}

/** A response without its body (304), to a part (206), or of a failure is never kept. */
function isStatus(status: unknown): boolean {
  return (
    Number.isInteger(status) &&
    (status as number) >= 200 &&
    (status as number) < 500 &&
    ![206, 304].includes(status as number)
  );
}

function isQuery(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([name, list]) => ['allow', 'ignore'].includes(name) && (list === undefined || isNames(list)),
    )
  );
}
