import { existsSync, rmSync } from 'node:fs';
import { planOf } from './locks/nemesis/plan.js';
import { tell } from './locks/report.js';
import { run } from './locks/run.js';

const ENTRY = 'test/chaos/dist/locks/worker/main.js';

/** A short run of `npm run chaos:locks`; the long one, and the mutants that it has to notice, run by command. */
describe('locks under random faults', () => {
  beforeAll(() => {
    if (!existsSync(ENTRY)) throw new Error('run "npm run build" first');
  });

  it('seed 1: nobody holds what another holds, no acknowledged write is lost, and all recovers', async () => {
    const outcome = await run({ seed: 1, entry: ENTRY, lanes: (workers) => planOf(1, 8, workers) });
    if (outcome.violations.length > 0) throw new Error(tell(outcome));
    expect(outcome.grants).toBeGreaterThan(50);
    expect(outcome.lost.checked).toBe(0);
    rmSync(outcome.dir, { recursive: true });
  }, 90_000);
});
