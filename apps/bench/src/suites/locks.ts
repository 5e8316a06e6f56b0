import { lockTargets } from './lock-targets.js';
import type { Scenario, Suite } from './suite.js';

const roost = 'Roost LockService';
const rivals = ['redlock 5 beta', 'redlock-universal', 'redis-semaphore', 'verrou'] as const;
const raw = 'raw SET NX PX';

const ownKeys = (concurrency: number): Scenario => ({
  title: `own locks, ${concurrency} at once`,
  work: 'own',
  concurrency,
});

/** Locks that nobody else wants, and one that everybody wants. */
export const locks: Suite = {
  name: 'locks',
  about:
    'Own locks: one acquire and one release per operation, of a lock that nobody else wants. Raw is `SET NX PX` and a script that deletes one’s own, on ioredis with default settings, as the rivals are.',
  comparisons: [{ contestants: [roost, ...rivals, raw], baseline: raw, scenarios: [ownKeys(1), ownKeys(64)] }],
  contention: {
    about:
      'One lock that is held for 5 ms each time. Greedy contenders ask again as soon as they have given it back; a burst is everybody once, all at the same time. Hand-over: from the call that gives the lock back until the next one has it, by a clock that all processes share. Longest wait: also of those who never got it. Fairness: Jain’s index, 1 when all had it as often as each other. Total ÷ holds: how long a burst took, as a multiple of what all held the lock for; none where somebody had not got it within 3 s. Commands: what clients sent per section, by MONITOR in a load that is not timed; not what scripts call inside Redis. Rivals ask again after the delay of their own and never give up.',
    contestants: [roost, ...rivals],
    baseline: 'redis-semaphore',
    scenarios: [
      { title: '50 greedy contenders in 1 process', contenders: 50, processes: 1 },
      { title: '13 greedy contenders in each of 4 processes', contenders: 52, processes: 4 },
      { title: 'a burst of 52 in 4 processes', contenders: 52, processes: 4, burst: true },
    ],
  },
  promises: {
    about: 'What locks have to reach; alone it is against the raw recipe in the same round.',
    bounds: lockTargets,
  },
};
