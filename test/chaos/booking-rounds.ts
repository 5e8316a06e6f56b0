import type { ServiceProcess } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from './fleet.js';
import { Random } from './random.js';

const CARS = 12;
const TRIES = 10;
const CALLERS = 100;
const DAY_MS = 86_400_000;
const DAYS_OF_A_ROUND = 20;

/** What became of one round: everybody wanted the same car, on days that all have one day in common. */
export interface Round {
  readonly slot: string;
  readonly answers: readonly Answer[];
  /** The bookings that the database has of these days. */
  readonly kept: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly id: string | undefined;
  readonly retryAfter: string | null;
}

/** A hundred callers at once, shared among the instances. */
export async function playRound(fleet: Fleet, round: number): Promise<Round> {
  const carId = `car-${1 + (round % CARS)}`;
  const first = Date.UTC(2001, 0, 1) + round * DAYS_OF_A_ROUND * DAY_MS;
  const [from, to] = [dayOf(first), dayOf(first + DAYS_OF_A_ROUND * DAY_MS)];
  const answers = await Promise.all(
    Array.from({ length: CALLERS }, (_, i) =>
      bookPatiently(fleet.services[i % fleet.services.length]!, {
        carId,
        from: dayOf(first + (i % 7) * DAY_MS),
        to: dayOf(first + (8 + (i % 11)) * DAY_MS),
      }),
    ),
  );
  const all = await bookingsOf(fleet.one, carId);
  const kept = all.filter((booking) => booking.from < to && booking.to > from).map(({ id }) => id);
  return { slot: `${carId} from ${from}`, answers, kept };
}

/** Comes back when it is told to, as a busy machine can make Postgres too slow for a while; what it is told last counts. */
async function bookPatiently(...[service, wish]: Parameters<typeof book>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await book(service, wish);
    if (answer.status !== 503 || answer.retryAfter === null || tries === TRIES) return answer;
    await sleep(1_000 * Number(answer.retryAfter) * (0.5 + Math.random()));
  }
}

/** What is wrong with a round: the slot has to be sold to exactly one, who knows it, and everybody else is told 409. */
export function faultsOf({ slot, answers, kept }: Round): string[] {
  const sold = answers.filter(({ status }) => status === 201).map(({ id }) => id);
  const others = answers.filter(({ status }) => status !== 201 && status !== 409);
  return [
    ...(kept.length === 1 ? [] : [`${slot}: ${kept.length} rows`]),
    ...(sold.length === 1 && sold[0] === kept[0] ? [] : [`${slot}: sold to ${sold.length}`]),
    ...others.map(({ status, code }) => `${slot}: answered ${status} ${code}`),
  ];
}

/** Books, or does not. */
export async function book(
  service: ServiceProcess,
  wish: { carId: string; from: string; to: string },
): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const response = await service.fetch('/bookings', { method: 'POST', headers, body: JSON.stringify(wish) });
  const { id, errorCode: code } = (await response.json()) as { id?: string; errorCode?: string };
  return { status: response.status, code, id, retryAfter: response.headers.get('retry-after') };
}

/** The bookings of a car, as an instance lists them. */
export async function bookingsOf(service: ServiceProcess, carId: string) {
  const response = await service.fetch(`/bookings?carId=${carId}`);
  return ((await response.json()) as { data: { id: string; from: string; to: string }[] }).data;
}

/** Kills Redis and starts it again, at moments that follow from the seed, until it is stopped. */
export class RedisKiller {
  kills = 0;
  #stopped = false;
  readonly #random: Random;
  readonly #done: Promise<void>;

  constructor(
    private readonly fleet: Fleet,
    seed: number,
  ) {
    this.#random = new Random(seed);
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await sleep(this.#random.between(0, 3_000));
      await this.fleet.server.kill();
      this.kills += 1;
      await sleep(this.#random.between(0, 3_000));
      await this.fleet.server.restart();
    }
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
