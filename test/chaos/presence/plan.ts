import type { Random } from '../random.js';

/** Faults of Redis. `forget` is of all that it knows of presence. */
export const SERVER_FAULTS = ['redis-kill', 'redis-freeze', 'redis-cut', 'redis-forget'] as const;

/** Faults of the instances of the service; a long freeze is longer than a lease, a short one shorter than half of it. */
export const INSTANCE_FAULTS = ['kill', 'term', 'freeze-short', 'freeze-long'] as const;

/** What happens to sockets: they leave a room, end, are cut off without a word, or come back at once. */
export const SOCKET_FAULTS = ['leave', 'close', 'cut', 'reload'] as const;

export type FaultName = (typeof SERVER_FAULTS)[number] | (typeof INSTANCE_FAULTS)[number];
export type SocketFault = (typeof SOCKET_FAULTS)[number];

/** One fault of a server or an instance. */
export interface Step {
  /** Since the end of the step before, in ms. */
  readonly afterMs: number;
  readonly name: FaultName;
  /** Which of the instances. */
  readonly which: number;
  readonly lastsMs: number;
}

/** One thing that happens to a socket. */
export interface SocketStep {
  readonly afterMs: number;
  readonly name: SocketFault;
  /** Which of all devices. */
  readonly which: number;
  /** When it comes back, in ms. */
  readonly backMs: number;
}

export const ROOMS = Array.from({ length: 8 }, (_, index) => `room-${index}`);
/** Many are in this one. */
const CROWDED = 0.4;

/** How long each lasts, in ms, or in times of what a user is given to come back. */
function lastsOf(name: FaultName, goneAfterMs: number): readonly [least: number, most: number] {
  if (name === 'freeze-short') return [100, Math.round(0.4 * goneAfterMs)];
  if (name === 'freeze-long') return [Math.round(1.2 * goneAfterMs), 2 * goneAfterMs];
  if (name === 'redis-kill') return [200, 4_000];
  return name === 'redis-freeze' ? [300, 3_000] : [50, 1_000];
}

/** Faults without end: each once in a shuffled round before any comes again. */
export function* stepsOf(random: Random, names: readonly FaultName[], goneAfterMs: number): Generator<Step, undefined> {
  if (names.length === 0) return;
  for (;;) {
    for (const name of random.shuffled(names)) {
      yield {
        afterMs: random.between(200, 2_000),
        name,
        which: random.between(0, 2),
        lastsMs: random.between(...lastsOf(name, goneAfterMs)),
      };
    }
  }
}

/** What happens to sockets, each about as often as the others, whatever their number. */
export function* socketStepsOf(
  random: Random,
  { names, sockets, goneAfterMs }: { names: readonly SocketFault[]; sockets: number; goneAfterMs: number },
): Generator<SocketStep, undefined> {
  if (names.length === 0) return;
  for (;;) {
    const name = random.pick(names);
    yield {
      afterMs: Math.round(random.between(4_000, 12_000) / sockets),
      name,
      which: random.between(0, sockets - 1),
      backMs: name === 'reload' ? random.between(0, 100) : Math.round(random.skewed(50, 1.5 * goneAfterMs)),
    };
  }
}

/** In which rooms a device is. */
export function roomsOf(random: Random): string[] {
  const others = random.shuffled(ROOMS.slice(1)).slice(0, random.between(1, 2));
  return random.chance(CROWDED) ? [ROOMS[0]!, ...others] : others;
}
