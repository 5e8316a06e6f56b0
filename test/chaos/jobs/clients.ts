import { setTimeout as sleep } from 'node:timers/promises';
import type { Wish } from './plan.js';

/** What a client was told in the end. */
export interface Told {
  readonly wish: Wish;
  /** `unknown` when it was told nothing: the booking may have been made or not. */
  readonly outcome: 'booked' | 'taken' | 'unknown';
  readonly id: string | undefined;
  readonly jobId: string | undefined;
}

export interface ClientsOptions {
  /** The instances of the service that are up, or were a moment ago. */
  readonly urls: () => readonly string[];
  readonly clients: number;
  /** How long a client rests between two wishes, in ms. */
  readonly restMs: number;
}

const ANSWER_WITHIN_MS = 10_000;
const PATIENCE_MS = 40_000;
const AGAIN_MS = 100;

/** Clients that book in a closed loop. */
export class Clients {
  readonly told: Told[] = [];
  /** How often each status was answered; 0 is no answer. */
  readonly statuses = new Map<number, number>();
  /** How long those took that were booked, in ms. */
  readonly tookMs: number[] = [];
  /** Answers that should not be. */
  readonly odd: string[] = [];
  asked = 0;

  constructor(private readonly options: ClientsOptions) {}

  get booked(): number {
    return this.told.filter(({ outcome }) => outcome === 'booked').length;
  }

  /** Lets all of them wish until `enough`. */
  async run(wishes: Iterator<Wish, unknown>, enough: () => boolean): Promise<void> {
    const { clients, restMs } = this.options;
    const client = async () => {
      while (!enough()) {
        const { value, done } = wishes.next();
        if (done) return;
        this.told.push(await this.#wish(value));
        if (restMs > 0) await sleep(restMs);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
  }

  /** A client that waits asks again until it is told; one that hangs up is told nothing, whatever was done. */
  async #wish(wish: Wish): Promise<Told> {
    const until = performance.now() + PATIENCE_MS;
    const unknown = { wish, outcome: 'unknown', id: undefined, jobId: undefined } as const;
    for (;;) {
      const { status, body } = await this.#ask(wish);
      if (status === 201) return { wish, outcome: 'booked', id: body.id, jobId: body.jobId };
      if (body.errorCode === 'booking.already-taken') return { ...unknown, outcome: 'taken' };
      if (wish.patienceMs !== undefined) return unknown;
      if (![0, 409, 503].includes(status)) this.odd.push(`answered ${status} ${body.errorCode ?? ''}`);
      if (performance.now() > until) {
        this.odd.push(`a client gave up after ${PATIENCE_MS} ms: ${status} ${body.errorCode ?? ''}`);
        return unknown;
      }
      await sleep(AGAIN_MS);
    }
  }

  async #ask({ carId, from, to, patienceMs = ANSWER_WITHIN_MS }: Wish) {
    const urls = this.options.urls();
    const url = `${urls[this.asked++ % urls.length]}/bookings`;
    const since = performance.now();
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ carId, from, to }),
      signal: AbortSignal.timeout(patienceMs),
    })
      .then(async (response) => ({ status: response.status, body: (await response.json()) as Body }))
      .catch(() => ({ status: 0, body: {} as Body })); // killed meanwhile, or hung up
    if (answer.status === 201) this.tookMs.push(performance.now() - since);
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    return answer;
  }
}

interface Body {
  readonly id?: string;
  readonly jobId?: string;
  readonly errorCode?: string;
}
