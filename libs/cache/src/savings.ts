/** Something that is paid by the call. */
export interface CallCost {
  readonly name: string;
  readonly callsPerDay: number;
  /** What one call costs; 0 for what is free. */
  readonly costPerCall: number;
}

/** What is known, or claimed, of the time with a cache. */
export interface SavingsAssumptions {
  /** Which share of the calls the cache answers, from 0 to 1. */
  readonly hitRate: number;
  /** Calls a day that somebody claims to be left, by name; what is not named follows from the hit rate. */
  readonly after?: Readonly<Record<string, number>>;
  /** The least and the most that somebody claims to pay a month. */
  readonly claimedPerMonth?: readonly [least: number, most: number];
}

/** What one kind of call costs without and with the cache, by the day. */
export interface CallSavings {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly callsAfter: number;
  /** Set when the calls that were claimed to be left do not follow from the hit rate: how many would. */
  readonly expectedCallsAfter?: number;
}

/** Sums over a time, in the currency of the costs. */
export interface SavingsOver {
  readonly before: number;
  readonly after: number;
  readonly saved: number;
}

/** What a cache saves. */
export interface SavingsEstimate {
  readonly perDay: SavingsOver;
  /** Thirty days. */
  readonly perMonth: SavingsOver;
  /** The share of the cost that is saved, in percent to one decimal. */
  readonly percent: number;
  readonly calls: readonly CallSavings[];
  /** What does not add up, one sentence each. */
  readonly flags: readonly string[];
}

const DAYS_PER_MONTH = 30;

/**
 * What a cache saves of calls that are paid one by one. A claim that does not follow from the hit rate is taken at its
 * word and flagged.
 * @throws RangeError for a hit rate outside of 0 to 1, and for negative numbers
 * @example
 * estimateSavings([{ name: 'maps', callsPerDay: 500, costPerCall: 0.005 }], { hitRate: 0.9 }).perDay.saved // 2.25
 */
export function estimateSavings(
  costs: readonly CallCost[],
  { hitRate, after = {}, claimedPerMonth }: SavingsAssumptions,
): SavingsEstimate {
  if (!(hitRate >= 0 && hitRate <= 1))
    throw new RangeError(`Expected \`hitRate\` to be from 0 to 1, got \`${hitRate}\``);
  const calls = costs.map((cost) => savingsOf(cost, hitRate, after[cost.name]));
  const perDay = over(calls, 1);
  const perMonth = over(calls, DAYS_PER_MONTH);
  const { before, saved } = perDay;
  return {
    perDay,
    perMonth,
    percent: before === 0 ? 0 : round((saved / before) * 100, 1),
    calls,
    flags: [...calls.flatMap((call) => flagOf(call, hitRate)), ...flagOfBill(perMonth.after, claimedPerMonth)],
  };
}

function savingsOf({ name, callsPerDay, costPerCall }: CallCost, hitRate: number, claimed?: number): CallSavings {
  for (const [what, value] of Object.entries({ callsPerDay, costPerCall, after: claimed ?? 0 })) {
    if (!(value >= 0 && value < Infinity)) {
      throw new RangeError(`Expected \`${what}\` of ${name} to be a number from 0 on, got \`${value}\``);
    }
  }
  const expected = round(callsPerDay * (1 - hitRate), 6);
  const callsAfter = claimed ?? expected;
  return {
    name,
    before: money(callsPerDay * costPerCall),
    after: money(callsAfter * costPerCall),
    callsAfter,
    // Nobody claims fractions of a call.
    ...(Math.abs(callsAfter - expected) >= 1 && { expectedCallsAfter: expected }),
  };
}

function over(calls: readonly CallSavings[], days: number): SavingsOver {
  const before = money(sum(calls.map((call) => call.before)) * days);
  const after = money(sum(calls.map((call) => call.after)) * days);
  return { before, after, saved: money(before - after) };
}

function flagOf({ name, callsAfter, expectedCallsAfter }: CallSavings, hitRate: number): string[] {
  if (expectedCallsAfter === undefined) return [];
  const percent = round(hitRate * 100, 1);
  return [
    `${name}: ${callsAfter} calls a day are claimed to be left, ${expectedCallsAfter} follow from ${percent}% hits`,
  ];
}

function flagOfBill(perMonth: number, [least, most]: readonly [number, number] = [0, Infinity]): string[] {
  return perMonth >= least && perMonth <= most ? [] : [`${least} to ${most} a month are claimed, ${perMonth} follow`];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
/** Prices go down to millionths: a call may cost a hundredth of a cent. */
const money = (value: number): number => round(value, 6);

function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
