import type { Random } from '../random.js';
import { KEYS, NAMES, TAGS } from './keys.js';
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
  readonly next?: string;
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

const FOREIGN = ['DEL', 'PEXPIRE', 'SET'] as const;

/** How many steps in which time: mostly all at once, now and then for as long as a node that was cut off stays so. */
const SHORT = { steps: 80, lastsMs: 25 } as const;
const LONG = { steps: 300, lastsMs: 2_000 } as const;
/** At its end some keys are invalidated once more, while others read them: what goes wrong then stays to be seen. */
const FINALE_MS = 7;

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
  const { steps: count, lastsMs } = random.chance(0.05) ? LONG : SHORT;
  const steps = [
    ...Array.from({ length: count }, () => stepOf(random, nodes, lastsMs)),
    ...NAMES.filter(() => random.chance(0.6)).flatMap((key) => finaleOf(random, nodes, key, lastsMs)),
  ];
  const weather = WEATHER.flatMap((name) => {
    const often = climate[name] ?? 0;
    const times = Math.floor(often) + Number(random.chance(often % 1));
    return Array.from({ length: times }, () => ({ atMs: momentOf(name, random, lastsMs), name }));
  });
  return {
    steps: steps.toSorted((a, b) => a.atMs - b.atMs),
    weather,
    foreign: random.chance(0.25) ? { key: random.pick(NAMES), how: random.pick(FOREIGN) } : undefined,
  };
}

function stepOf(random: Random, nodes: number, lastsMs: number): Step {
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
  const step = {
    atMs: random.next() * lastsMs,
    node: random.between(0, nodes - 1),
    verb,
    names,
    load: loadOf(random),
  };
  return random.chance(0.5) && ['delete', 'tags', 'set', 'clear'].includes(verb) ? { ...step, next: key } : step;
}

function finaleOf(random: Random, nodes: number, key: string, lastsMs: number): Step[] {
  const { tags } = KEYS[key]!;
  const change: Pick<Step, 'verb' | 'names' | 'next'> = {
    ...(tags.length > 0 && random.chance(0.4)
      ? { verb: 'tags', names: [random.pick(tags)] }
      : { verb: 'delete', names: [key] }),
    ...(random.chance(0.4) ? { next: key } : {}),
  };
  const at = (least: number, most: number) => lastsMs + least + random.next() * (most - least);
  const readers = Array.from({ length: nodes }, (_, node) => node).filter(() => random.chance(0.6));
  return [
    ...readers.map((node): Step => ({ atMs: at(0, 2), node, verb: 'fetch', names: [key], load: loadOf(random) })),
    { atMs: at(3, FINALE_MS), node: random.between(0, nodes - 1), ...change, load: loadOf(random) },
  ];
}

function loadOf(random: Random): LoadManner {
  return { ms: random.next() * (random.chance(0.2) ? SLOW_MS : FAST_MS), fails: random.chance(0.04) };
}

/** When it comes: what is lost, and what is looked for anew, matters most when nothing is said of it again. */
function momentOf(name: WeatherName, random: Random, lastsMs: number): number {
  if (name === 'power-loss') return random.between(lastsMs, lastsMs + 4 * FINALE_MS);
  if (name === 'foreign-touch') return lastsMs - 3;
  return random.between(0, SHORT.lastsMs);
}

function verbOf(random: Random): Step['verb'] {
  let left = random.next() * 100;
  for (const [verb, share] of Object.entries(VERBS)) if ((left -= share) < 0) return verb as Step['verb'];
  return 'fetch';
}
