import { Random } from '../../random.js';

/** Faults of the servers, which touch everybody unless they say otherwise. */
export const SERVER_FAULTS = [
  'redis-kill',
  'redis-freeze',
  'failover',
  'flushall',
  'script-flush',
  'kill-clients',
  'kill-subscribers',
  'postgres-restart',
] as const;

/** Faults of one worker, or of its way to Redis or Postgres. */
export const WORKER_FAULTS = [
  'stop',
  'kill',
  'busy',
  'blackhole',
  'drop-replies',
  'reset',
  'delay',
  'long-delay',
  'postgres-delay',
  'clock-forward',
  'clock-back',
] as const;

/** Faults that only a directed plan asks for. */
const DIRECTED_FAULTS = ['split-brain', 'flush-behind', 'slow-commit'] as const;

export type FaultName =
  (typeof SERVER_FAULTS)[number] | (typeof WORKER_FAULTS)[number] | (typeof DIRECTED_FAULTS)[number];

/** One fault of a plan. */
export interface Step {
  /** Since the end of the step before, in ms. */
  readonly afterMs: number;
  readonly name: FaultName;
  readonly worker: string;
  readonly lastsMs: number;
}

/** Steps that follow each other; several lanes run side by side. */
export type Lane = readonly Step[];

/** Which faults the lanes of a plan choose from; the last lane stops processes, since pauses are what fencing is for. */
export type PlanFaults = Partial<Record<'server' | 'worker' | 'pauses', readonly FaultName[]>>;

/** What the nemesis will do in a run: fixed by the seed before anything starts. */
export function planOf(
  seed: number,
  seconds: number,
  workers: readonly string[],
  { server = SERVER_FAULTS, worker = WORKER_FAULTS, pauses = ['stop'] }: PlanFaults = {},
): Lane[] {
  const random = new Random(seed);
  const lane = (names: readonly FaultName[], shortest: number) =>
    laneOf(random, seconds, workers, { names, lasts: [shortest, 3_000] });
  // A pause matters when it outlasts a lock.
  return [lane(server, 300), lane(worker, 300), lane(pauses, 1_200)];
}

/** Faults that follow each other: each once in a shuffled round before any comes again, or a short run would be all of one kind. */
export function laneOf(
  random: Random,
  seconds: number,
  workers: readonly string[],
  { names, lasts: [least, most] }: { readonly names: readonly FaultName[]; readonly lasts: readonly [number, number] },
): Lane {
  const steps: Step[] = [];
  let round: FaultName[] = [];
  for (let at = 0; names.length > 0;) {
    if (round.length === 0) round = random.shuffled(names);
    const name = round.pop()!;
    const step = {
      afterMs: random.between(400, 1_800),
      name,
      worker: random.pick(workers),
      lastsMs: random.skewed(least, most),
    };
    at += step.afterMs + step.lastsMs;
    if (at >= seconds * 1_000) break;
    steps.push(step);
  }
  return steps;
}
