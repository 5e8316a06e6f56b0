import { eventually } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../random.js';
import { countBy } from '../results.js';
import { Clients } from './clients.js';
import { Deployment, type Store } from './deployment.js';
import { faults, type Incident } from './faults.js';
import { judge, type Verdict, type Violation } from './judge.js';
import { calmWishes, type FaultName, PROCESS_FAULTS, SERVER_FAULTS, stepsOf, wishesOf } from './plan.js';
import { truthOf, unfinished } from './truth.js';

/** All that a run consists of. */
export interface RunOptions {
  readonly seed: number;
  readonly store: Store;
  /** How many are made at least while things break. */
  readonly bookings: number;
  /** The folder with the built service and worker. */
  readonly root: string;
  /** What breaks. @default all that there is */
  readonly faults?: { readonly servers: readonly FaultName[]; readonly processes: readonly FaultName[] };
  /** How often each breaks at least. @default 1 */
  readonly rounds?: number;
  /** @default 16 */
  readonly clients?: number;
  /** How long a client rests between two wishes, in ms. @default 0 */
  readonly restMs?: number;
  /** @default 2 */
  readonly webs?: number;
  /** @default 2 */
  readonly workers?: number;
  /** How many are made when nothing breaks any more. @default 200 */
  readonly calm?: number;
  /** How long the last jobs may take, in ms: locks and leases of the dead have to end, and a failed attempt is made again. */
  readonly settleMs?: number;
}

/** What a run came to. */
export interface Outcome extends Verdict {
  readonly seed: number;
  readonly store: Store;
  readonly seconds: number;
  readonly asked: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly booked: number;
  readonly taken: number;
  readonly unknown: number;
  readonly committed: number;
  readonly mails: number;
  readonly faults: Readonly<Record<string, number>>;
  /** From the beginning of the transaction to the e-mail, in ms. */
  readonly latency: Readonly<Record<'all' | 'calm', Quantiles>>;
  /** From a request to its 201, when nothing breaks, in ms. */
  readonly answers: Quantiles;
  /** What the processes printed, when something is wrong. */
  readonly logs: string | undefined;
}

interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Elsewhere nothing happens instead: the rest of the plan stays as it is. */
const NEEDS_REDIS: ReadonlySet<FaultName> = new Set(['redis-kill', 'redis-freeze', 'relay-kill']);
const SLOWEST_ANSWER_MS = 25;
const SAMPLE = 50;
const ANSWERS_WITHIN_MS = 10_000;

/** Lets clients book while servers and processes are killed, waits until all is quiet, and compares. */
export async function run(options: RunOptions): Promise<Outcome> {
  const { seed, store, root, webs = 2, workers = 2 } = options;
  const since = performance.now();
  const random = new Random(seed + 3);
  // Some mail servers take their time: then a worker can be killed between a mail and its being noted as done.
  const answerAfterMs = () => (random.chance(0.5) ? random.between(0, SLOWEST_ANSWER_MS) : 0);
  const deployment = await Deployment.start({ store, root, webs, workers, answerAfterMs });
  try {
    const storm = new Storm(deployment, options);
    await storm.rage();
    await settled(deployment, options);
    const calm = await calmly(deployment, options);
    const { mails } = deployment.mail;
    const truth = await truthOf(deployment);
    const told = [...storm.clients.told, ...calm.told];
    const verdict = judge({ truth, mails, told, incidents: storm.incidents, store });
    const strange = [...storm.clients.odd, ...calm.odd, ...(await strangeJobs(deployment, calm)), ...deployment.odd];
    const odd = strange.map((message): Violation => ({ check: 'odd', message }));
    const violations = [...verdict.violations, ...odd];
    const latencies = latenciesOf(truth.bookings, mails);
    const outcomes = (name: string) => told.filter(({ outcome }) => outcome === name).length;
    return {
      seed,
      store,
      seconds: (performance.now() - since) / 1_000,
      asked: storm.clients.asked + calm.asked,
      statuses: Object.fromEntries(storm.clients.statuses),
      booked: outcomes('booked'),
      taken: outcomes('taken'),
      unknown: outcomes('unknown'),
      committed: truth.bookings.length,
      mails: mails.length,
      faults: countBy(storm.incidents, ({ name }) => name),
      latency: {
        all: quantiles([...latencies.values()]),
        calm: quantiles(calm.told.flatMap(({ id }) => latencies.get(id!) ?? [])),
      },
      answers: quantiles(calm.tookMs),
      ...verdict,
      violations,
      logs: violations.length > 0 ? deployment.saveLogs() : undefined,
    };
  } finally {
    await deployment.stop();
  }
}

/** What happens until enough was booked and broken. */
class Storm {
  readonly incidents: Incident[] = [];
  readonly clients: Clients;
  #lanes = 0;

  constructor(
    private readonly deployment: Deployment,
    private readonly options: RunOptions,
  ) {
    const { clients = 16, restMs = 0 } = options;
    this.clients = new Clients({ urls: () => deployment.urls, clients, restMs });
  }

  /** Resolves when everything runs again. */
  async rage(): Promise<void> {
    const { seed, bookings } = this.options;
    const all = { servers: SERVER_FAULTS, processes: PROCESS_FAULTS };
    const { servers, processes } = this.options.faults ?? all;
    const lanes = [servers, processes].filter((names) => names.length > 0);
    this.#lanes = lanes.length;
    const booked = () => this.clients.booked >= bookings;
    await Promise.all([
      this.clients.run(wishesOf(new Random(seed)), () => booked() && this.#lanes === 0),
      ...lanes.map((names, index) => this.#lane(new Random(seed + 1 + index), names, booked)),
    ]);
  }

  async #lane(random: Random, names: readonly FaultName[], booked: () => boolean): Promise<void> {
    const least = names.length * (this.options.rounds ?? 1);
    let steps = 0;
    for (const step of stepsOf(random, names)) {
      await sleep(step.afterMs);
      if (this.deployment.redis === undefined && NEEDS_REDIS.has(step.name)) await sleep(step.lastsMs);
      else await faults[step.name](this.deployment, step, (name, target) => this.#breaks(name, target));
      if (++steps >= least && booked()) break;
    }
    this.#lanes--;
  }

  #breaks(name: FaultName, target: string): () => void {
    const incident = { name, target, from: Date.now(), until: Infinity };
    this.incidents.push(incident);
    return () => void (incident.until = Date.now());
  }
}

/** Waits until nothing is left to do. What is left all the same is judged. */
async function settled(deployment: Deployment, { settleMs = 150_000 }: RunOptions): Promise<void> {
  const isDone = async () => unfinished(await truthOf(deployment)) === 0;
  await eventually(isDone, { within: settleMs, every: 200 }).catch(() => {}); // the judge says what
}

/** Some more bookings, when nothing is broken: whatever a fault leaves behind shows here. */
async function calmly(deployment: Deployment, options: RunOptions): Promise<Clients> {
  const { calm = 200, clients = 16 } = options;
  const clerks = new Clients({ urls: () => deployment.urls, clients: Math.min(clients, 4), restMs: 20 });
  await clerks.run(calmWishes(), () => clerks.told.length >= calm);
  await settled(deployment, options);
  return clerks;
}

/** What the service says of a sample of jobs that are done. */
async function strangeJobs({ urls }: Deployment, { told }: Clients): Promise<string[]> {
  const states = await Promise.all(
    told.slice(-SAMPLE).map(async ({ jobId }, index) => {
      const url = `${urls[index % urls.length]}/jobs/${jobId}`;
      let said = '';
      const isDone = async () => (said = await stateOf(url)) === '200 completed';
      // A busy machine can make Redis too slow for a while: who is told 503 asks again.
      return eventually(isDone, { within: ANSWERS_WITHIN_MS, every: 100 }).then(
        () => [],
        () => [`GET ${url} says ${said}`],
      );
    }),
  );
  return states.flat();
}

async function stateOf(url: string): Promise<string> {
  return fetch(url).then(
    async (response) => `${response.status} ${((await response.json()) as { state?: string }).state}`,
    (error: Error) => String(error.cause),
  );
}

/** By booking: from the beginning of its transaction to its first e-mail, in ms. */
function latenciesOf(
  bookings: readonly { readonly id: string; readonly at: number }[],
  mails: readonly { readonly id: string; readonly at: number }[],
): Map<string, number> {
  const first = new Map<string, number>();
  for (const { id, at } of mails) if (!first.has(id)) first.set(id, at);
  return new Map(
    bookings.flatMap(({ id, at }) => {
      const sent = first.get(`booking-${id}@roost.example`);
      return sent === undefined ? [] : [[id, sent - at] as const];
    }),
  );
}

function quantiles(all: readonly number[]): Quantiles {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
