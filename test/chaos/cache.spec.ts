import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mutants } from './cache/mutants/mutants.js';
import { tell } from './cache/report.js';
import { run } from './cache/run.js';
import { makeMutant } from './mutant.js';

const ENTRY = 'cache/worker/main.js';

/** A short run of `npm run chaos:cache`; the long one, and all mutants that it has to notice, run by command. */
describe('caches under random reads, writes and faults', () => {
  beforeAll(() => {
    if (!existsSync(join('test/chaos/dist', ENTRY))) throw new Error('run "npm run build" first');
  });

  it('19: seed 1: nobody is served what was invalidated', async () => {
    const outcome = await run({ seed: 1, seconds: 4, entry: join('test/chaos/dist', ENTRY) });
    if (outcome.violations.length > 0) throw new Error(tell(outcome));
    expect(outcome.checks).toBeGreaterThan(200);
    expect(outcome.fenced).toBeGreaterThan(0);
  }, 60_000);

  it.each(mutants.slice(0, 1))(
    '19: notices $name: $what',
    async ({ name, edits, climate }) => {
      const copy = makeMutant({ lib: 'cache', name: `${name}-in-jest`, edits, project: process.cwd() });
      const { violations } = await run({ seed: 1, seconds: 30, entry: join(copy, ENTRY), climate, mostViolations: 1 });
      expect(violations).not.toEqual([]);
      expect(violations.filter(({ check }) => check === 'odd')).toEqual([]);
    },
    60_000,
  );
});

/** Whether they are noticed is found out by `npm run chaos:cache:mutants`; here, that all can be made. */
describe.each(mutants)('$name: $what', ({ name, edits }) => {
  it('finds the places to edit', () => {
    expect(() => makeMutant({ lib: 'cache', name: `${name}-in-jest`, edits, project: process.cwd() })).not.toThrow();
  });
});
