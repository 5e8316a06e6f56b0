import { Results } from '../results.js';

/** What the runs of the cache have found. */
export const results = new Results('cache', {
  run: 'Four nodes in two processes, by seed. Every value that was returned was judged; a violation is a failure.',
  mutants: [
    'Each mutant breaks one rule of the cache on purpose; the run has to notice, and the same seed has to pass for twice as',
    'long, and ten seconds at least, without the mutation.',
  ].join(' '),
});
