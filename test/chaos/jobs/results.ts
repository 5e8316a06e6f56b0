import { Results } from '../results.js';

/** What the runs of jobs have found. */
export const results = new Results('jobs', {
  run: [
    'Two instances of the service and two workers, by seed. Every booking that was committed, and every e-mail that has',
    'arrived, was judged; a violation is a failure.',
  ].join(' '),
  mutants: [
    'Each mutant breaks one rule of jobs on purpose; the run has to notice, and the same plan has to pass without the',
    'mutation. Locks, leases and retries are as short as seconds in both.',
  ].join(' '),
});
