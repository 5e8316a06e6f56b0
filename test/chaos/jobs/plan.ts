import type { Random } from '../random.js';

/** Faults of the servers. */
export const SERVER_FAULTS = ['redis-kill', 'redis-freeze', 'postgres-kill'] as const;

/** Faults of the processes of the service; `relay-kill` is of whichever has just claimed jobs of the outbox. */
export const PROCESS_FAULTS = ['web-kill', 'worker-kill', 'worker-term', 'worker-freeze', 'relay-kill'] as const;

export type FaultName = (typeof SERVER_FAULTS)[number] | (typeof PROCESS_FAULTS)[number];

/** One fault. */
export interface Step {
  /** Since the end of the step before, in ms. */
  readonly afterMs: number;
  readonly name: FaultName;
  /** Which of the processes of a role. */
  readonly which: number;
  readonly lastsMs: number;
}

/** What one client wants. */
export interface Wish {
  readonly carId: string;
  readonly from: string;
  readonly to: string;
  /** When the client hangs up, in ms; undefined for one that waits, and asks again until it is told. */
  readonly patienceMs?: number;
}

const CARS = 12;
const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2001, 0, 1);

/** How long each lasts, in ms. */
const LASTS: Readonly<Record<FaultName, readonly [least: number, most: number]>> = {
  'redis-kill': [200, 3_000],
  'redis-freeze': [1_000, 2_000],
  'postgres-kill': [100, 1_500],
  'web-kill': [50, 1_000],
  'worker-kill': [50, 1_000],
  'worker-term': [50, 1_000],
  'worker-freeze': [300, 3_000],
  'relay-kill': [50, 1_000],
};

/** Faults without end: each once in a shuffled round before any comes again. */
export function* stepsOf(random: Random, names: readonly FaultName[]): Generator<Step, undefined> {
  if (names.length === 0) return;
  // Few that follow each other as quickly as many would leave no time in which anything runs.
  const rarer = Math.max(1, 3 / names.length);
  for (;;) {
    for (const name of random.shuffled(names)) {
      const [least, most] = LASTS[name];
      yield {
        afterMs: Math.round(rarer * random.between(300, 1_500)),
        name,
        which: random.between(0, 1),
        lastsMs: random.skewed(least, most),
      };
    }
  }
}

/**
 * Wishes without end, most of them for days that nobody has. Some are wished by two at once, some were sold before, and
 * some clients hang up: the next one then has the same wish.
 */
export function* wishesOf(random: Random): Generator<Wish, never> {
  for (let slot = 0; ; slot++) {
    const wish = daysOf(slot);
    if (random.chance(0.06)) yield { ...wish, patienceMs: random.between(1, 30) };
    yield wish;
    if (random.chance(0.08)) yield wish;
    if (slot > 100 && random.chance(0.03)) yield daysOf(slot - random.between(50, 100));
  }
}

/** Wishes for days that nobody wants in a storm, however long it lasts. */
export function* calmWishes(): Generator<Wish, never> {
  for (let slot = 500_000; ; slot++) yield daysOf(slot);
}

function daysOf(slot: number): Wish {
  const first = FIRST_DAY + Math.floor(slot / CARS) * DAY_MS;
  return { carId: `car-${1 + (slot % CARS)}`, from: dayOf(first), to: dayOf(first + DAY_MS) };
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
