import { Results } from '../results.js';

/** What the runs of locks have found. */
export const results = new Results('locks', {
  run: 'Faults of random kinds at random times, by seed. Every row was judged exactly; a violation is a failure.',
  pauses: [
    'Processes are stopped for 1.2 to 3 s while they add to lists outside every transaction, half of the acknowledged',
    'writes to each. Under the same lock the one list is written by whoever comes, the other only by whoever shows no',
    'older token than it has seen: what fencing is for.',
  ].join(' '),
  mutants: [
    'Each mutant breaks one rule of the locks on purpose; the run has to notice, and the same plan of faults has to pass',
    'without the mutation.',
  ].join(' '),
});
