import type { Job } from 'bullmq';
import type { KeyHold, KeyLimits } from '../limits/key-limits.js';
import { RunningKeys } from '../limits/running-keys.js';
import type { ResolvedQueue } from '../queue.config.js';

/** How long to stay away when nobody could say whether the job may run. */
const RETRY_AFTER_MS = 1_000;

/** How many jobs that were sent away are remembered, of a key and keys in all; the others come back by themselves. */
const MOST_PARKED = 1_000;

/** A place that a job has among those of its key, or when it should ask again. */
export type Admission = { release(): Promise<void> } | { readonly retryAfterMs: number };

/** Lets jobs of one queue through by their keys, as many as may run. */
export class KeyGate {
  readonly #running: RunningKeys;
  readonly #aborts = new Map<KeyHold['token'], (reason: Error) => void>();
  /** The jobs of this process that were sent away, by key, the longest first. */
  readonly #parked = new Map<string, Map<string, number>>();

  constructor(
    limits: KeyLimits,
    leaseMs: number,
    private readonly onError: (error: unknown) => void,
    /** Lets a job that was sent away come at once. */
    private readonly promote: (id: string, attemptsStarted: number) => Promise<void>,
  ) {
    const onLost = ({ token, key }: KeyHold) =>
      this.#aborts.get(token)?.(new Error(`the place among the jobs of ${key} was lost: it could not be renewed`));
    this.#running = new RunningKeys({ limits, leaseMs, onLost, onError });
  }

  /** @param abort called when the place is lost while the job runs. */
  async enter(
    { id, queueName: queue, attemptsStarted }: Job,
    key: string,
    limits: NonNullable<ResolvedQueue['perKey']>,
    abort: (reason: Error) => void,
  ): Promise<Admission> {
    const hold: KeyHold = { queue, key, token: `${id}/${attemptsStarted}` };
    try {
      const verdict = await this.#running.start({ ...hold, ...limits });
      if (!verdict.granted) return verdict;
    } catch (error) {
      this.onError(error);
      return { retryAfterMs: RETRY_AFTER_MS };
    }
    this.#aborts.set(hold.token, abort);
    return {
      release: async () => {
        this.#aborts.delete(hold.token);
        await this.#running.finish(hold);
        this.#callNext(key);
      },
    };
  }

  /** Remembers a job that was sent away, so that it need not wait until its time when a place is free here sooner. */
  park({ id, attemptsStarted }: Job, key: string): void {
    const parked = this.#parked.get(key) ?? new Map<string, number>();
    if (this.#parked.size > MOST_PARKED) this.#parked.clear();
    if (parked.size < MOST_PARKED) this.#parked.set(key, parked.set(id!, attemptsStarted));
  }

  #callNext(key: string): void {
    const parked = this.#parked.get(key);
    const [next] = parked ?? [];
    if (parked === undefined || next === undefined) return;
    const [id, attemptsStarted] = next;
    parked.delete(id);
    if (parked.size === 0) this.#parked.delete(key);
    this.promote(id, attemptsStarted).catch(() => {}); // it has come by itself, or was removed
  }

  close(): Promise<void> {
    return this.#running.close();
  }
}
