import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryWriter } from '../history.js';
import { faults, type Stage } from './faults.js';
import type { Lane } from './plan.js';

/** Carries out a plan, and writes down when what was broken and whole again. Resolves when all is healed. */
export async function torment(stage: Stage, lanes: readonly Lane[], history: HistoryWriter): Promise<void> {
  let count = 0;
  const follow = async (lane: Lane) => {
    for (const step of lane) {
      await sleep(step.afterMs);
      const fault = faults[step.name];
      const touches = fault.touches === 'worker' ? step.worker : fault.touches;
      const n = ++count;
      history.write({ f: 'fault', why: step.name, touches, n, ms: step.lastsMs });
      try {
        await fault.run(stage, step);
      } catch (cause) {
        throw new Error(`The nemesis could not do ${JSON.stringify(step)}`, { cause });
      }
      history.write({ f: 'heal', why: step.name, touches, n });
    }
  };
  await Promise.all(lanes.map(follow));
}
