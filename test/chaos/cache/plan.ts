import type { Random } from '../random.js';
import { NAMES, TAGS } from './keys.js';
import type { LoadManner, Verb } from './messages.js';
import { WEATHER, type WeatherName } from './weather.js';

/** Something that a node is asked for. */
export interface Step {
  /** Since the round began, in ms. */
  readonly atMs: number;
  readonly node: number;
  readonly verb: Exclude<Verb, 'status'>;
  readonly names: readonly string[];
  readonly load: LoadManner;
  readonly then?: string;
}

/** What happens between two silences. */
export interface Round {
  readonly steps: readonly Step[];
  readonly weather: readonly { readonly atMs: number; readonly name: WeatherName }[];
  /** Somebody else writes when all is quiet, and must be heard. */
  readonly foreign: { readonly key: string; readonly how: (typeof FOREIGN)[number] } | undefined;
}

/** How often each weather comes in a round: 0.2 is one round of five, 3 is thrice in each. */
export type Climate = Partial<Readonly<Record<WeatherName, number>>>;

export const FOREIGN = ['DEL', 'PEXPIRE', 'SET'] as const;

const STEPS = 100;
const LASTS_MS = 30;

/** How long loads take at most: some outlast whatever happens meanwhile. */
const FAST_MS = 6;
const SLOW_MS = 30;

/** How often each verb comes, of a hundred. */
const VERBS: Readonly<Record<Step['verb'], number>> = {
  fetch: 58,
  get: 12,
  many: 6,
  delete: 9,
  tags: 6,
  set: 4,
  expire: 4,
  clear: 1,
};

/** A round as the random numbers want it: fixed before anything of it happens. */
export function roundOf(random: Random, nodes: number, climate: Climate): Round {
  const steps = Array.from({ length: STEPS }, () => stepOf(random, nodes));
  const weather = WEATHER.flatMap((name) => {
    const often = climate[name] ?? 0;
    const times = Math.floor(often) + Number(random.chance(often % 1));
    return Array.from({ length: times }, () => ({ atMs: random.between(0, LASTS_MS), name }));
  });
  return {
    steps: steps.toSorted((a, b) => a.atMs - b.atMs),
    weather,
    foreign: random.chance(0.25) ? { key: random.pick(NAMES), how: random.pick(FOREIGN) } : undefined,
  };
}

function stepOf(random: Random, nodes: number): Step {
  const verb = verbOf(random);
  const key = random.pick(NAMES);
  const names = {
    fetch: [key],
    get: [key],
    many: NAMES.filter(() => random.chance(0.4)),
    delete: random.chance(0.2) ? NAMES.filter((each) => each === key || random.chance(0.3)) : [key],
    tags: random.chance(0.2) ? TAGS : [random.pick(TAGS)],
    set: [key],
    expire: [key],
    clear: [],
  }[verb];
  const load = { ms: random.next() * (random.chance(0.2) ? SLOW_MS : FAST_MS), fails: random.chance(0.04) };
  const step = { atMs: random.next() * LASTS_MS, node: random.between(0, nodes - 1), verb, names, load };
  return random.chance(0.5) && ['delete', 'tags', 'set', 'clear'].includes(verb) ? { ...step, then: key } : step;
}

function verbOf(random: Random): Step['verb'] {
  let left = random.next() * 100;
  for (const [verb, share] of Object.entries(VERBS)) if ((left -= share) < 0) return verb as Step['verb'];
  return 'fetch';
}
