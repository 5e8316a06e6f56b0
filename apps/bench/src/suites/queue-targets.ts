import type { FairnessSlice } from '../fairness-slice.js';
import type { Bound } from './suite.js';
import type { Target } from './targets.js';

const roost = 'Roost JobQueue';
const asOurs = 'BullMQ, options as ours';

const ends = [1, 2].flatMap((processes) =>
  [8, 32].map((concurrency) => {
    return `end to end, ${concurrency} at a time, ${processes === 1 ? '1 process' : '2 processes'}`;
  }),
);
const loads = ['add, 64 callers', 'add 100 at once, 4 callers', 'handle, 8 at a time', 'handle, 32 at a time', ...ends];

const on = (store: string, suffix: string): Target[] =>
  loads.map((load) => {
    const scenario = `${store}: ${load}`;
    return {
      title: `as BullMQ, ${scenario}`,
      scenario,
      contestant: roost + suffix,
      rivals: [asOurs + suffix],
      atLeast: 0.95,
    };
  });

/** What queues have to reach against others in the same rounds. */
export const queueTargets: readonly Target[] = [
  ...on('Redis', ''),
  ...on('Postgres', ', Postgres'),
  ...ends.map((end): Target => {
    const scenario = `Redis: ${end}`;
    return { title: `streams, ${end}`, scenario, contestant: 'Roost streams', rivals: ['BullMQ'], atLeast: 4 };
  }),
];

const figure: keyof FairnessSlice = 'highStartWorstMs';

/** What they have to keep to. */
export const queueBounds: readonly Bound[] = [roost, `${roost}, Postgres`].map((contestant) => {
  const scenario = 'urgent before 10 000';
  return {
    title: `${contestant}: an urgent job starts, ms`,
    scenario,
    contestant,
    bound: 'at most',
    limit: 100,
    figure,
  };
});
