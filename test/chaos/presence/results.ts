import { Results } from '../results.js';

/** What the runs of presence have found. */
export const results = new Results('presence', {
  run: [
    'Three instances of the service, by seed. What each client was told was compared with who was there, all the time and when',
    'all was quiet again; a violation is a failure. Right after: from when all clients were back until all knew who is there.',
  ].join(' '),
  mutants: [
    'Each mutant breaks one rule of presence on purpose; the run has to notice, and the same plan has to pass without the',
    'mutation. Users are waited for 2 s in both.',
  ].join(' '),
});
