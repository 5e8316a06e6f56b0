import { AsyncLocalStorage } from 'node:async_hooks';
import type { LoggerService } from '@nestjs/common';
import { outsideRequests, type Duration } from '@roost/redis';
import { LockBusyError, LockLostError, LockShutdownError } from '../lock.errors.js';
import { lockKey } from '../lock-key.js';
import type { Lock } from '../lock.js';
import type { DutyLocks } from './duties.parts.js';
import { Term } from './election.term.js';
import { described } from './described.js';
import { backOffMs, pause, within, type Pause } from './pause.js';

/** What a candidate does with its office. */
export interface ElectionOptions {
  /**
   * Called at each election. The term's `signal` aborts when it is over, and its `token` is its number: write under
   * `term.transaction`. It may return at once, or work until the signal aborts; when it throws, the candidate resigns.
   */
  readonly onElected: (term: Lock) => Promise<void> | void;
  /** Called at the end of each term, before the lock is given back where it is still held. */
  readonly onDemoted?: () => Promise<void> | void;
  /** After how long a leader that died is replaced. @default the module's */
  readonly ttl?: Duration;
}

/** A candidacy, until it is stopped. */
export interface Election extends AsyncDisposable {
  /** Whether this candidate leads now, by its own clocks. No two candidates do at the same time, unless a
   * `guard` stands in for Redis: write in `term.transaction`, which the later term wins. */
  readonly leader: boolean;
  /** The number of the present term, its fencing token: greater than that of every earlier leader. */
  readonly term: bigint | undefined;
  /**
   * Ends the present term, and stands again behind those who wait. Resolves when another can be elected: once
   * `onElected` and `onDemoted` have ended, or after a `ttl`. Inside `onElected` it does not wait for that.
   */
  resign(): Promise<void>;
  /** Resigns, and does not stand again. */
  stop(): Promise<void>;
}

/** What an election is told by its module. */
export interface ElectionParts {
  readonly locks: Pick<DutyLocks, 'acquire'>;
  readonly logger: Pick<LoggerService, 'error' | 'warn'>;
  /** What `ttl` comes to. */
  readonly ttlMs: number;
  readonly pause?: Pause;
}

/** How long one place in the line is kept: afterwards the candidate lines up anew. */
const WAIT = '5m';

/** Stands for election until it is stopped, whatever happens to the stores. */
export class Candidacy implements Election {
  readonly #stopped = new AbortController();
  readonly #bodies = new AsyncLocalStorage<Term>();
  readonly #pause: Pause;
  /** Resolves when it does not stand any more; never rejects. */
  readonly over: Promise<void>;
  #term: Term | undefined;
  #served: Promise<boolean> | undefined;
  #troubled = false;

  constructor(
    private readonly name: string,
    private readonly options: ElectionOptions,
    private readonly parts: ElectionParts,
  ) {
    this.#pause = parts.pause ?? pause;
    this.over = outsideRequests(() => this.#stand(lockKey('elect', name)));
  }

  get leader(): boolean {
    return this.#term?.held ?? false;
  }

  get term(): bigint | undefined {
    return this.leader ? this.#term!.token : undefined;
  }

  async resign(): Promise<void> {
    const term = this.#term;
    if (!term) return;
    term.end();
    if (this.#bodies.getStore() !== term) await this.#served;
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new LockShutdownError());
    await this.resign();
    if (this.#bodies.getStore() === undefined) await this.over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stand(key: string): Promise<void> {
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted;) {
      try {
        const lock = await this.parts.locks.acquire(key, { ttl: this.parts.ttlMs, wait: WAIT, signal });
        this.#troubled = false;
        this.#served = this.#serve(lock);
        failures = (await this.#served) ? 0 : failures + 1;
        if (failures === 0) continue;
      } catch (error) {
        if (signal.aborted || error instanceof LockShutdownError) return;
        // Who left the line only because the wait was over goes back to it at once.
        failures = error instanceof LockBusyError ? 0 : failures + 1;
        if (failures > 0) this.#tell(error);
      }
      await this.#pause(backOffMs(failures), signal);
    }
  }

  /** Leads until the term is over. Resolves to false when `onElected` failed. */
  async #serve(lock: Lock): Promise<boolean> {
    const term = new Term(lock);
    this.#term = term;
    if (this.#stopped.signal.aborted) term.end();
    let failed = false;
    const work = this.#bodies.run(term, async () => {
      try {
        if (!term.signal.aborted) await this.options.onElected(term);
      } catch (error) {
        failed = !term.signal.aborted;
        // Once the term is over, to be aborted is the way to end.
        if (failed || !isAbort(error)) this.#failed('onElected failed', error);
        term.end();
      }
    });
    await aborted(term.signal);
    const demoted = this.#bodies.run(term, () => this.#attempt('onDemoted', () => this.options.onDemoted?.()));
    if (!(await within(this.parts.ttlMs, Promise.all([work, demoted]), this.#pause))) {
      this.parts.logger.warn('Work goes on although its term of office is over.', this.#about('election.overdue'));
    }
    this.#term = undefined;
    await this.#attempt('the release', () => lock.release());
    return !failed;
  }

  async #attempt(what: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#failed(`${what} failed`, error);
    }
  }

  #failed(what: string, error: unknown): void {
    this.parts.logger.error(`In an election ${what}.`, this.#about('election.failed', error));
  }

  /** Says once that nobody can be elected, until somebody was. */
  #tell(error: unknown): void {
    if (this.#troubled) return;
    this.#troubled = true;
    this.parts.logger.warn('Nobody can be elected now.', this.#about('election.unavailable', error));
  }

  #about(event: string, error?: unknown) {
    return { event, election: this.name, ...(error === undefined ? {} : { error: described(error) }) };
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof LockLostError || (error as Partial<Error> | null | undefined)?.name === 'AbortError';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
