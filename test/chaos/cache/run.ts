import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../random.js';
import { Crew } from './crew.js';
import { Judge, keysOf, type Violation } from './judge.js';
import { NAMES } from './keys.js';
import { type Climate, type Round, roundOf, type Step } from './plan.js';
import { entryOf, memoryBytes, type Sky, weather } from './weather.js';

/** All that a run consists of. */
export interface RunOptions {
  readonly seed: number;
  /** No round begins later. */
  readonly seconds: number;
  /** The built worker. */
  readonly entry: string;
  /** @default TEMPERATE */
  readonly climate?: Climate;
  /** @default 4 */
  readonly nodes?: number;
  /** A run that has gone so wrong goes no further. @default 10 */
  readonly mostViolations?: number;
}

/** What a run came to. */
export interface Outcome {
  readonly seed: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly operations: number;
  readonly checks: number;
  readonly loads: number;
  /** Loads that were kept from storing their result. */
  readonly fenced: number;
  readonly weather: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

/** What usually happens in a round. */
export const TEMPERATE: Climate = {
  'kill-link': 0.2,
  'kill-links': 0.06,
  'kill-data': 0.08,
  'kill-writes': 0.06,
  'kill-all': 0.03,
  'foreign-del': 0.15,
  'foreign-set': 0.1,
  'foreign-expire': 0.15,
  'foreign-touch': 0.5,
  'evict-tag': 0.08,
  flushdb: 0.06,
  'freeze-redis': 0.03,
  'freeze-process': 0.03,
  restart: 0.03,
  'power-loss': 0.03,
};

/** So long news may be under way. */
const QUIET_MS = 60;

/** Lets nodes read and write at random while others interfere, and looks whether anything old is served. */
export async function run(options: RunOptions): Promise<Outcome> {
  const { seed, seconds, entry, climate = TEMPERATE, nodes = 4, mostViolations = 10 } = options;
  const since = performance.now();
  const server = await RedisServer.start({ appendonly: true });
  try {
    const judge = new Judge();
    const crew = await Crew.start({ server, entry, random: new Random(seed + 1), nodes }, (key) => judge.now(key));
    try {
      const rounds = new Rounds({ server, crew, judge, nodes, random: new Random(seed + 2) });
      const random = new Random(seed);
      await rounds.settle();
      const until = performance.now() + seconds * 1_000;
      while (performance.now() < until && judge.violations.length < mostViolations) {
        await rounds.round(roundOf(random, nodes, climate));
      }
      const sum = await rounds.sum();
      const violations = [...judge.violations];
      await crew.stop();
      if (crew.odd !== '') violations.push({ check: 'odd', message: crew.odd, story: [] });
      const took = (performance.now() - since) / 1_000;
      return { ...sum, seed, seconds: took, checks: judge.checks, violations };
    } finally {
      await crew.stop();
    }
  } finally {
    await server.stop();
  }
}

type Stage = Omit<Sky, 'quietBytes'> & { readonly nodes: number };

/** The rounds of a run. */
class Rounds {
  readonly #seen: Record<string, number> = {};
  /** Keys that are being written: a `set` of what is older than an invalidation would be the fault of its caller. */
  readonly #writing = new Map<string, number>();
  readonly #setting = new Set<string>();
  #rounds = 0;
  #operations = 0;
  #quietBytes = 0;

  constructor(private readonly stage: Stage) {}

  async round({ steps, weather: fates, foreign }: Round): Promise<void> {
    this.#rounds++;
    this.stage.judge.begin();
    const began = performance.now();
    const at = (ms: number) => sleep(Math.max(0, began + ms - performance.now()));
    await Promise.all([...steps.map((step) => at(step.atMs).then(() => this.#step(step))), this.#weather(fates, at)]);
    await this.settle();
    await this.#look('final');
    if (foreign !== undefined) await this.#foreign(foreign);
    this.#quietBytes = memoryBytes(this.stage.server);
  }

  /** Waits until nothing is under way. */
  async settle(): Promise<void> {
    const { judge } = this.stage;
    const calm = async () => {
      const all = await this.#statuses();
      return all.every(({ coherent, pending, backend }) => coherent && pending === 0 && backend === 'redis');
    };
    try {
      await eventually(calm, { within: 10_000, every: 10 });
    } catch {
      judge.odd(`no quiet within 10 s: ${JSON.stringify(await this.#statuses())}`);
    }
    await sleep(QUIET_MS);
    await this.#statuses();
    judge.quiet();
  }

  async sum() {
    const all = await this.#statuses();
    const sum = (what: 'loads' | 'fenced') => all.reduce((total, each) => total + each[what], 0);
    return {
      rounds: this.#rounds,
      operations: this.#operations,
      loads: sum('loads'),
      fenced: sum('fenced'),
      weather: this.#seen,
    };
  }

  async #weather(fates: Round['weather'], at: (ms: number) => Promise<unknown>): Promise<void> {
    const { judge } = this.stage;
    // One after the other: a server that is being started is not to be killed.
    for (const { atMs, name } of fates.toSorted((a, b) => a.atMs - b.atMs)) {
      await at(atMs);
      this.#seen[name] = (this.#seen[name] ?? 0) + 1;
      judge.note(name);
      await weather[name]({ ...this.stage, quietBytes: this.#quietBytes });
    }
  }

  async #step(step: Step): Promise<void> {
    const { crew, judge } = this.stage;
    const { node, load } = step;
    const next = step.next === undefined ? {} : { next: step.next };
    const written = this.#written(step);
    const verb = written === undefined ? 'fetch' : step.verb;
    const names =
      written === undefined ? [step.names[0] ?? 'plain'].filter((name) => NAMES.includes(name)) : step.names;
    if (names.length === 0 && verb !== 'clear') return;
    this.#operations++;
    const versions = judge.change(written ?? [], `node ${node} begins ${verb} ${names.join()}`);
    this.#write(verb, written ?? [], 1);
    const value = verb === 'set' ? { value: versions.get(names[0]!)! } : {};
    const { calls, doneAt, odd } = await crew.ask(node, { verb, names, load, ...value, ...next });
    this.#write(verb, written ?? [], -1);
    if (odd !== undefined) judge.odd(`node ${node}: ${verb} ${names.join()}: ${odd}`);
    judge.resolved(node, versions, doneAt);
    for (const call of calls) judge.called(node, call);
  }

  /** What changes of the origin; undefined when that cannot be at the moment. */
  #written({ verb, names }: Step): string[] | undefined {
    const changed = {
      fetch: [],
      get: [],
      many: [],
      expire: [],
      delete: names,
      set: names,
      tags: keysOf(names),
      clear: NAMES,
    }[verb];
    const free = (key: string) => !this.#setting.has(key) && (verb !== 'set' || !this.#writing.get(key));
    return changed.every(free) ? [...changed] : undefined;
  }

  #write(verb: string, keys: readonly string[], by: 1 | -1): void {
    for (const key of keys) {
      this.#writing.set(key, (this.#writing.get(key) ?? 0) + by);
      if (verb !== 'set') continue;
      if (by === 1) this.#setting.add(key);
      else this.#setting.delete(key);
    }
  }

  /** Everybody reads everything. */
  async #look(check: 'final' | 'foreign', keys: readonly string[] = NAMES): Promise<void> {
    const { crew, judge, nodes } = this.stage;
    const read = async (node: number, key: string) => {
      const { calls, odd } = await crew.ask(node, { verb: 'fetch', names: [key] });
      if (odd !== undefined) judge.odd(`node ${node}: fetch ${key}: ${odd}`);
      for (const call of calls) judge.settled(node, call, check);
    };
    const all = Array.from({ length: nodes }, (_, node) => keys.map((key) => read(node, key)));
    await Promise.all(all.flat());
  }

  /** Somebody who knows nothing of caches writes to Redis. */
  async #foreign({ key, how }: NonNullable<Round['foreign']>): Promise<void> {
    const { server, judge } = this.stage;
    await sleep(QUIET_MS); // loads that the last reads began in the background may store what they have
    judge.change([key], how);
    const rest = { DEL: [], PEXPIRE: [1], SET: ['no value of a cache'] }[how];
    await server.command(how, entryOf(key), ...rest);
    await sleep(QUIET_MS);
    await this.#statuses();
    judge.quiet();
    await this.#look('foreign', [key]);
  }

  async #statuses() {
    const { crew, nodes } = this.stage;
    const all = Array.from({ length: nodes }, (_, node) => crew.ask(node, { verb: 'status', names: [] }));
    return (await Promise.all(all)).map(
      ({ status }) => status ?? { coherent: true, pending: 0, backend: 'redis', loads: 0, fenced: 0 },
    );
  }
}
