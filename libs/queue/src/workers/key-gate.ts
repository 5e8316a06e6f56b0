import type { Job } from 'bullmq';
import type { KeyHold, KeyLimits } from '../limits/key-limits.js';
import { RunningKeys } from '../limits/running-keys.js';
import type { ResolvedQueue } from '../queue.config.js';

/** How long to stay away when nobody could say whether the job may run. */
const RETRY_AFTER_MS = 1_000;

/** A place that a job has among those of its key, or when it should ask again. */
export type Admission = { release(): Promise<void> } | { readonly retryAfterMs: number };

/** Lets jobs through by their keys, as many as may run, for all queues of one store. */
export class KeyGate {
  readonly #running: RunningKeys;
  readonly #aborts = new Map<KeyHold['token'], (reason: Error) => void>();

  constructor(
    limits: KeyLimits,
    leaseMs: number,
    private readonly onError: (error: unknown) => void,
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
      release: () => {
        this.#aborts.delete(hold.token);
        return this.#running.finish(hold);
      },
    };
  }

  close(): Promise<void> {
    return this.#running.close();
  }
}
