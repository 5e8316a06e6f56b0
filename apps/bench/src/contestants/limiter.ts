import { MANY_KEYS, STRICT, type Opened, type Task } from '../contestant.js';

/** What every limiter of the suites `rate-limit` and `outage` can do. */
export interface Limiter {
  /** Whether a request of this subject passes a limit that no load reaches. */
  check(subject: string): Promise<boolean>;
  /** The same against three such limits, of a user, an address and a route, in the way that this limiter has for it. */
  checkThree(subject: string): Promise<boolean>;
  /** Whether a request passes a limit of `STRICT` per hour. */
  checkStrict(subject: string): Promise<boolean>;
  close(): Promise<void> | void;
}

const SUBJECTS = Array.from({ length: MANY_KEYS }, (_, index) => `user-${index}`);

/** Opens a limiter for `hot` (one subject), `uniform` or `tiers` (three limits per operation). */
export function openLimiter(limiter: Limiter, { work }: Task): Opened {
  const subject = (index: number) => SUBJECTS[index % MANY_KEYS]!;
  const operations: Record<string, Opened['operate']> = {
    hot: () => limiter.check(SUBJECTS[0]!),
    uniform: (index) => limiter.check(subject(index)),
    tiers: (index) => limiter.checkThree(subject(index)),
  };
  return { operate: operations[work], verify: () => problemOf(limiter), close: () => limiter.close() };
}

/** Of 50 requests at once exactly as many may pass as the limit says. */
async function problemOf(limiter: Limiter): Promise<string | undefined> {
  const answers = await Promise.all(Array.from({ length: 50 }, () => limiter.checkStrict('attacker')));
  const admitted = answers.filter(Boolean).length;
  return admitted === STRICT ? undefined : `let ${admitted} of an attack in where the limit was ${STRICT}`;
}
