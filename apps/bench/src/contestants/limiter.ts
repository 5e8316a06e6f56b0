import { MANY_KEYS, STRICT, UNREACHABLE, type Opened, type Task } from '../contestant.js';

/** What every limiter of the suites `rate-limit` and `outage` can do, with one promise around its own. */
export interface Limiter {
  /** Whether a request of this subject passes a limit that no load reaches. */
  check(subject: string): Promise<boolean>;
  /** The same against three such limits, of a user, an address and a route, in the way that this limiter has for it. */
  checkThree(subject: string): Promise<boolean>;
  /** Whether a request passes a limit of `STRICT` per hour. */
  checkStrict(subject: string): Promise<boolean>;
  /** Whether a request is refused by a limit of one per hour. */
  refusesSecond(subject: string): Promise<boolean>;
  /** Of a limiter that may refuse early: whether a request passes a limit of so many per hour. */
  readonly early?: { readonly limit: number; check(subject: string): Promise<boolean> };
  close(): Promise<void> | void;
}

/** A limiter that has one way to ask: whether a request of a subject passes a limit of a policy. */
export function limiterOf(
  passes: (policy: string, subject: string, limit: number) => Promise<boolean>,
  close: Limiter['close'],
): Limiter {
  return {
    check: (subject) => passes('open', subject, UNREACHABLE),
    async checkThree(subject) {
      const answers = await Promise.all(
        ['user', 'address', 'route'].map((policy) => passes(policy, subject, UNREACHABLE)),
      );
      return answers.every(Boolean);
    },
    checkStrict: (subject) => passes('strict', subject, STRICT),
    refusesSecond: (subject) => passes('once', subject, 1).then((passed) => !passed),
    close,
  };
}

const SUBJECTS = Array.from({ length: MANY_KEYS }, (_, index) => `user-${index}`);
/** One subject in so many is no attacker. */
const HONEST = 100;

const isHonest = (index: number) => index % HONEST === 0;

/**
 * Opens a limiter for `hot` (one subject), `uniform` (many), `hot-tiers` or `tiers` (three limits per operation), or
 * `attack` (nearly all subjects have used up their limit).
 */
export async function openLimiter(limiter: Limiter, { work }: Task): Promise<Opened> {
  const subject = (index: number) => SUBJECTS[index % MANY_KEYS]!;
  const operations: Record<string, Opened['operate']> = {
    hot: () => limiter.check(SUBJECTS[0]!),
    uniform: (index) => limiter.check(subject(index)),
    'hot-tiers': () => limiter.checkThree(SUBJECTS[0]!),
    tiers: (index) => limiter.checkThree(subject(index)),
    attack: (index) => (isHonest(index) ? limiter.check(subject(index)) : limiter.refusesSecond(subject(index))),
  };
  const verify = () => (limiter.early ? problemOfEarly(limiter.early) : problemOf(limiter));
  if (work === 'attack') await useUp(limiter);
  return { operate: operations[work], verify, close: () => limiter.close() };
}

/** Lets each attacker in once, and refuses him once. */
async function useUp(limiter: Limiter): Promise<void> {
  const attackers = SUBJECTS.filter((_, index) => !isHonest(index));
  for (const expected of [false, true]) {
    for (let from = 0; from < attackers.length; from += 64) {
      const batch = attackers.slice(from, from + 64);
      const answers = await Promise.all(batch.map((each) => limiter.refusesSecond(each)));
      if (answers.some((answer) => answer !== expected))
        throw new Error(expected ? 'let an attacker in' : 'refused the first request');
    }
  }
}

/** Of 50 requests at once exactly as many may pass as the limit says. */
async function problemOf(limiter: Limiter): Promise<string | undefined> {
  const answers = await Promise.all(Array.from({ length: 50 }, () => limiter.checkStrict('attacker')));
  const admitted = answers.filter(Boolean).length;
  return admitted === STRICT ? undefined : `let ${admitted} of an attack in where the limit was ${STRICT}`;
}

/** Never more than the limit, however many ask; and not much less when nobody else asks. */
async function problemOfEarly(early: NonNullable<Limiter['early']>): Promise<string | undefined> {
  const { limit } = early;
  let admitted = 0;
  for (let asked = 0; asked < 5 * limit; asked += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => early.check('attacker')));
    admitted += answers.filter(Boolean).length;
  }
  if (admitted <= limit && admitted >= 0.9 * limit) return undefined;
  return `let ${admitted} of an attack in where the limit was ${limit}`;
}
