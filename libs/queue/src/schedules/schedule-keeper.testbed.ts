import type { JobsOptions, Queue } from 'bullmq';
import { ScheduleKeeper, type DeclaredSchedule } from './schedule-keeper.js';

const when = { date: new Date(0), nothing: undefined };
const daily: DeclaredSchedule = { name: 'daily', timing: { cron: '0 8 * * *' }, data: when };
const nightly: DeclaredSchedule = { name: 'nightly', timing: { every: '1d' }, data: null };
const defaults = { attempts: 3, backoff: { type: 'fixed', delay: 5, jitter: 0.1 }, removeOnFail: { age: 60 } };

/** What each store has to keep of a declared schedule, so that the next boot finds it unchanged. */
export async function tellsOfChanges(open: (defaults: JobsOptions) => Queue): Promise<void> {
  const boot = async (declared: readonly DeclaredSchedule[], options: JobsOptions = defaults) => {
    const told: string[] = [];
    const tell = (message: string) => void told.push(message.replace(/^Schedule roost\.(\w+) .* has /, '$1 '));
    await new ScheduleKeeper(open(options), declared, { log: tell, error: tell }).reconcile();
    return told;
  };
  expect(await boot([daily, nightly])).toEqual(['daily begun', 'nightly begun']);
  expect(await boot([daily, nightly])).toEqual([]);
  expect(await boot([{ ...daily, data: { date: new Date(1) } }, nightly])).toEqual(['daily begun']);
  expect(await boot([daily], { ...defaults, attempts: 4 })).toEqual(['nightly ended', 'daily begun']);
  expect(await boot([daily], { ...defaults, attempts: 4 })).toEqual([]);
  expect(await boot([])).toEqual(['daily ended']);
}
