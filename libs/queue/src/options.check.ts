import { show, toMs, type Duration } from '@roost/redis';

/** A timer of Node that is set for longer fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Options in an object. What is wrong goes to the problems, here and below, so that one error names all of them.
 * @param at where they are, such as `perKey.rate`; without it they are all there are.
 * @param known their names; without it they are not checked.
 */
export function objectIn<T extends object>(
  at: string | undefined,
  given: T,
  known: ReadonlySet<string> | undefined,
  problems: string[],
): T | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const what = at === undefined ? 'the options' : `\`${at}\``;
    problems.push(`Expected ${what} to be an object, got ${show(given)}`);
    return undefined;
  }
  for (const name of Object.keys(given)) {
    if (known === undefined || known.has(name)) continue;
    const what = at === undefined ? `option \`${name}\`` : `\`${at}.${name}\``;
    problems.push(`There is no ${what}; there are ${[...known].join(', ')}`);
  }
  return given;
}

/** Milliseconds of a duration, if there is one and it can be meant. */
export function durationIn(
  name: string,
  value: Duration | undefined,
  problems: string[],
  most = Infinity,
): number | undefined {
  if (value === undefined) return undefined;
  try {
    const ms = toMs(value);
    if (ms <= most) return ms;
    problems.push(`Expected \`${name}\` to be at most ${Math.floor(most / 86_400_000)} days`);
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
  }
  return undefined;
}

export function integerIn(name: string, value: number, least: number, problems: string[]): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  problems.push(`Expected \`${name}\` to be an integer from ${least}, got ${show(value)}`);
}

export function flagIn(name: string, value: boolean | undefined, problems: string[]): void {
  if (value === undefined || typeof value === 'boolean') return;
  problems.push(`Expected \`${name}\` to be true or false, got ${show(value)}`);
}

export function textIn(name: string, value: string | undefined, problems: string[]): void {
  if (value === undefined || isText(value)) return;
  problems.push(`Expected \`${name}\` to be a text, without U+0000 and halves of characters, got ${show(value)}`);
}

/** Whether it is a text that every store keeps, and not an empty one: Postgres refuses U+0000 and halves of characters. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.isWellFormed() && !value.includes('\u0000');
}
