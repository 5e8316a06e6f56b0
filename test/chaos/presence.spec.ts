import { join } from 'node:path';
import { makeMutant } from './mutant.js';
import { HASTE, HASTY_MS } from './presence/haste.js';
import { tell } from './presence/report.js';
import { run } from './presence/run.js';

/** `npm run chaos:presence`, in short, on a service that waits less for those who are gone. */
it('nobody is told to be gone who is there, and nobody is left behind, whatever breaks', async () => {
  const mutant = makeMutant({ lib: 'presence', name: 'haste', edits: HASTE, service: true, project: process.cwd() });
  const outcome = await run({ seed: 11, seconds: 6, sockets: 60, root: join(mutant, '..'), goneAfterMs: HASTY_MS });
  expect([outcome.violations, tell(outcome)]).toEqual([[], expect.stringContaining('seed 11: ok')]);
}, 90_000);
