import { eventually } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../random.js';
import { countBy } from '../results.js';
import { Deployment } from './deployment.js';
import { Device } from './device.js';
import { inflict } from './faults.js';
import { compare, wronglyGone, type Told, type Violation } from './judge.js';
import {
  INSTANCE_FAULTS,
  ROOMS,
  roomsOf,
  SERVER_FAULTS,
  SOCKET_FAULTS,
  socketStepsOf,
  stepsOf,
  type FaultName,
  type SocketFault,
} from './plan.js';
import type { Outcome } from './outcome.js';
import { Timeline } from './timeline.js';

/** All that a run consists of. */
export interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  /** The folder with the built service. */
  readonly root: string;
  /** What that service was built with, in ms. */
  readonly goneAfterMs: number;
  /** @default 500 */
  readonly sockets?: number;
  /** What happens. @default all that there is */
  readonly faults?: {
    readonly servers: readonly FaultName[];
    readonly instances: readonly FaultName[];
    readonly sockets: readonly SocketFault[];
  };
}

const ALL = { servers: SERVER_FAULTS, instances: INSTANCE_FAULTS, sockets: SOCKET_FAULTS };
const PROBE = 'probe';
/** So many sockets connect at once. */
const AT_ONCE = 50;
const SOCKETS_PER_USER = 3.3;
/** How long it takes until all clients are back after the storm. */
const BACK_WITHIN_MS = 30_000;

/** Lets clients come and go while servers and instances break, waits until all is quiet, and compares what all know. */
export async function run(options: RunOptions): Promise<Outcome> {
  const deployment = await Deployment.start(options.root);
  const run = new Run(deployment, options);
  try {
    return await run.all();
  } finally {
    await run.end();
    await deployment.stop();
  }
}

class Run {
  readonly #since = performance.now();
  readonly #timeline = new Timeline();
  readonly #devices: Device[] = [];
  readonly #probes: Device[] = [];
  readonly #happened: string[] = [];
  /** When it was first heard, by room, version and user. */
  readonly #leaves = new Map<string, Told>();
  readonly #joins = new Map<string, Told>();
  readonly #violations: Violation[] = [];
  readonly #balancer: Random;

  constructor(
    private readonly deployment: Deployment,
    private readonly options: RunOptions,
  ) {
    this.#balancer = new Random(options.seed + 3);
  }

  async all(): Promise<Outcome> {
    const { seed, sockets = 500, goneAfterMs } = this.options;
    await this.#fill(sockets);
    await this.#storm(sockets);
    const rightAfterMs = await this.#calm();
    await this.#empty();
    const leaves = [...this.#leaves.values()];
    // Connections are asked for a sign of life each third of the time, and may be silent for as long before they end.
    const patience = { goneAfterMs, silentMs: goneAfterMs / 3 };
    this.#violations.push(...wronglyGone({ leaves, joins: [...this.#joins.values()] }, this.#timeline, patience));
    for (const message of this.deployment.odd) this.#violate('process', message);
    return {
      seed,
      sockets,
      seconds: (performance.now() - this.#since) / 1_000,
      faults: countBy(this.#happened, (name) => name),
      holds: this.#timeline.holds.length,
      leaves: leaves.length,
      rightAfterMs,
      violations: this.#violations,
      logs: this.#violations.length > 0 ? this.deployment.saveLogs() : undefined,
    };
  }

  async end(): Promise<void> {
    await Promise.all([...this.#devices, ...this.#probes].map((device) => device.stop()));
  }

  /** Signs users in, and connects all of their devices and one more to each instance. */
  async #fill(sockets: number): Promise<void> {
    const random = new Random(this.options.seed);
    const names = Array.from({ length: Math.ceil(sockets / SOCKETS_PER_USER) }, (_, index) => `user-${index}`);
    const cookies = await Promise.all([...names, PROBE].map((userId, index) => this.#signIn(userId, index)));
    for (let index = 0; index < sockets; index++) {
      const at = index % names.length;
      this.#devices.push(this.#device(names[at]!, cookies[at]!, roomsOf(random)));
      if (index % AT_ONCE === 0) await this.#back(); // a Redis that is overrun is away for some, before anything has begun
    }
    for (const name of this.deployment.names) {
      const place = () => this.deployment.places.find(({ life }) => life === this.deployment.lifeOf(name));
      this.#probes.push(this.#device(PROBE, cookies.at(-1)!, ROOMS, place));
    }
    await this.#back();
  }

  #device(userId: string, cookie: string, rooms: readonly string[], place = () => this.#somewhere()): Device {
    return new Device({
      userId,
      cookie,
      rooms,
      timeline: this.#timeline,
      place,
      onTold: (kind, told) => {
        const heard = kind === 'join' ? this.#joins : this.#leaves;
        const name = `${told.room} ${told.version} ${told.userId}${told.partial ? told.by : ''}`;
        if (!heard.has(name)) heard.set(name, { ...told, at: performance.now() });
      },
      onOdd: (message) => this.#violate('told', message),
    });
  }

  #somewhere() {
    const { places } = this.deployment;
    return places.length === 0 ? undefined : this.#balancer.pick(places);
  }

  async #storm(sockets: number): Promise<void> {
    const { seed, seconds, goneAfterMs, faults: wanted = ALL } = this.options;
    const until = performance.now() + seconds * 1_000;
    const lane = async (random: Random, names: readonly FaultName[]) => {
      for (const step of stepsOf(random, names, goneAfterMs)) {
        if (performance.now() + step.afterMs > until) break;
        await sleep(step.afterMs);
        this.#happened.push(step.name);
        await inflict(this.deployment, step, this.#timeline);
      }
    };
    const restless = async (random: Random) => {
      for (const step of socketStepsOf(random, { names: wanted.sockets, sockets, goneAfterMs })) {
        if (performance.now() > until) break;
        await sleep(step.afterMs);
        this.#happened.push(step.name);
        this.#devices[step.which]!.suffer(step.name, step.backMs);
      }
    };
    await Promise.all([
      lane(new Random(seed + 1), wanted.servers),
      lane(new Random(seed + 2), wanted.instances),
      restless(new Random(seed + 4)),
    ]);
  }

  /** Waits until everybody knows who is there. */
  async #calm(): Promise<number> {
    await this.#back();
    const since = performance.now();
    // Who is gone is waited for, a process that is dead has its lease, and who is missing in a state the time of another one.
    const within = 4 * this.options.goneAfterMs + 5_000;
    const wrong = async () => [...this.#wrong(), ...(await this.#wrongInRedis())];
    await eventually(async () => (await wrong()).length === 0, { within, every: 50 }).catch(() => undefined);
    const rightAfterMs = Math.round(performance.now() - since);
    this.#violations.push(...(await wrong()));
    return rightAfterMs;
  }

  /** Everybody leaves, in one way or another: nobody may be left. */
  async #empty(): Promise<void> {
    const devices = this.#devices.splice(0);
    await Promise.all(devices.map((device, index) => device.stop(index % 2 === 0 ? 'close' : 'cut')));
    const within = 4 * this.options.goneAfterMs + 5_000;
    const left = () => this.#wrong().map((each) => ({ ...each, check: 'left behind' }));
    await eventually(() => left().length === 0, { within, every: 50 }).catch(() => undefined);
    this.#violations.push(...left());
    const nodes = async () =>
      ((await this.deployment.redis.command('ZRANGE', 'roost:{presence}:presence:nodes', 0, -1)) as string[]).length;
    await eventually(async () => (await nodes()) === 3, { within }).catch(async () => {
      this.#violate('left behind', `Redis knows ${await nodes()} processes`);
    });
  }

  /** Views that are not what they should be. */
  #wrong(): Violation[] {
    const truth = new Map(ROOMS.map((room) => [room, this.#timeline.users(room)]));
    return [...this.#devices, ...this.#probes].flatMap(({ userId, views }) =>
      [...views].flatMap(([room, { users }]) => compare(`${userId}, in ${room}`, users, truth.get(room)!)),
    );
  }

  /** What a process that comes anew would read, where that is not what it should be. */
  async #wrongInRedis(): Promise<Violation[]> {
    const all = ROOMS.map(async (room) => {
      const fields = (await this.deployment.redis.command(
        'HKEYS',
        `roost:presence:users:{room%3A${room}}`,
      )) as string[];
      const users = new Set(fields.filter((name) => name !== '')); // under no name stands the version
      return compare(`Redis, in ${room}`, users, this.#timeline.users(room));
    });
    return (await Promise.all(all)).flat();
  }

  async #back(): Promise<void> {
    const away = () => [...this.#devices, ...this.#probes].filter(({ settled }) => !settled).length;
    await eventually(() => away() === 0, { within: BACK_WITHIN_MS, every: 50 }).catch(() => {
      this.#violate('back', `${away()} clients did not come back`);
    });
  }

  async #signIn(userId: string, index: number): Promise<string> {
    const url = this.deployment.urlOf(this.deployment.names[index % 3]!)!;
    const post = (path: string, body: object) =>
      fetch(`${url}/accounts/${path}`, {
        method: 'POST',
        // Each from an address of its own: so many sign-ins of one would be refused.
        headers: { 'content-type': 'application/json', 'x-forwarded-for': `10.1.${index >> 8}.${index & 255}` },
        body: JSON.stringify(body),
      });
    const { code } = (await (await post('codes', { userId })).json()) as { code: string };
    const answer = await post('sessions', { userId, code });
    return answer.headers.get('set-cookie')!.split(';')[0]!;
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}
