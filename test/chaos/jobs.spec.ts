import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HASTE } from './jobs/haste.js';
import { mutants } from './jobs/mutants/mutants.js';
import { tell } from './jobs/report.js';
import { run, type RunOptions } from './jobs/run.js';
import { makeMutant, type Edit } from './mutant.js';

/** A short run of `npm run chaos:jobs`; the long one, and all mutants that it has to notice, run by command. */
describe('jobs while servers and processes are killed', () => {
  const short = { seed: 1, store: 'redis', calm: 20, clients: 8, restMs: 100, settleMs: 15_000 } as const;

  beforeAll(() => {
    if (!existsSync('dist/main.js')) throw new Error('run "npm run build" first');
  });

  it('45: seed 1: each booking that was committed is confirmed, and no other', async () => {
    const outcome = await play('short', [], {
      ...short,
      bookings: 200,
      faults: { servers: ['redis-kill', 'postgres-kill'], processes: ['worker-kill', 'relay-kill'] },
    });
    if (outcome.violations.length > 0) throw new Error(tell(outcome));
    expect(outcome.committed).toBeGreaterThanOrEqual(200);
    expect(Object.keys(outcome.faults).toSorted()).toEqual([
      'postgres-kill',
      'redis-kill',
      'relay-kill',
      'worker-kill',
    ]);
  }, 90_000);

  // The one that needs no fault, but only two who want the same car: it is quick.
  it.each(mutants.filter(({ name }) => name === 'm3'))(
    '9: notices $name: $what',
    async ({ name, edits }) => {
      const few = { ...short, webs: 1, workers: 1, restMs: 20, bookings: 100, calm: 5 };
      const { violations } = await play(name, edits, { ...few, faults: { servers: [], processes: [] } });
      expect(new Set(violations.map(({ check }) => check))).toEqual(new Set(['phantom']));
    },
    60_000,
  );

  function play(name: string, edits: readonly Edit[], options: Omit<RunOptions, 'root'>) {
    const parts = { lib: 'queue', name: `${name}-in-jest`, edits: [...HASTE, ...edits], service: true } as const;
    return run({ ...options, root: join(makeMutant({ ...parts, project: process.cwd() }), '..') });
  }
});
