import { type Lock, LockError } from '@roost/lock';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryWriter } from '../history.js';

/** Which lock a section asks for. */
export interface Wish {
  readonly key: string;
  readonly weight: number;
  readonly limit: number;
  acquire(): Promise<Lock>;
}

const LOOK_EVERY_MS = 10;
/** How late a signal may be before it is asked whether the lock is held all the same. */
const ASK_AFTER_MS = 1_500;
/** For how long it is watched whether a lock that is over comes back, or its signal is still to abort. */
const WATCH_MS = 3_000;

/** One lock of this process, and what the history knows of it. */
export class Section {
  #deadline: Date;
  #until: bigint;
  #endedAt: number | undefined;
  #zombie = false;

  constructor(
    readonly n: number,
    readonly key: string,
    readonly lock: Lock,
    { weight, limit }: Pick<Wish, 'weight' | 'limit'>,
    private readonly history: HistoryWriter,
  ) {
    this.#deadline = lock.deadline;
    this.#until = toMonotonic(this.#deadline);
    const { token: tok, backend } = lock;
    history.write({ f: 'grant', key, n, tok, until: this.#until, weight, limit, backend });
    lock.signal.addEventListener('abort', () => this.#aborted());
    if (lock.signal.aborted) this.#aborted();
  }

  /** Whether the body may still act: asked before every effect. */
  get held(): boolean {
    return this.lock.held;
  }

  get over(): boolean {
    return this.#endedAt !== undefined && performance.now() - this.#endedAt > WATCH_MS;
  }

  /**
   * Notes what has changed since the last look. It does not ask whether the lock is held before that must be known: to
   * ask is to have it told, and it is to be told by itself.
   */
  look(): void {
    const { deadline } = this.lock;
    if (this.#endedAt !== undefined) return this.#lookBack();
    if (deadline.getTime() !== this.#deadline.getTime()) {
      this.#deadline = deadline;
      this.#until = toMonotonic(deadline);
      this.history.write({ f: 'until', n: this.n, until: this.#until });
    }
    if (this.#until < process.hrtime.bigint()) this.#end('deadline');
  }

  /** Works on for so long, or until it is told that the lock is lost. */
  async linger(ms: number): Promise<void> {
    const { signal } = this.lock;
    if (signal.aborted) return;
    await sleep(ms, undefined, { signal }).catch(() => undefined); // aborted: the history knows
  }

  async release(): Promise<void> {
    this.look();
    this.#end('released');
    await this.lock.release();
  }

  #aborted(): void {
    this.history.write({ f: 'abort', n: this.n });
    this.look();
    this.#end('aborted');
  }

  #lookBack(): void {
    const since = performance.now() - this.#endedAt!;
    if (this.#zombie || !(this.lock.signal.aborted || since > ASK_AFTER_MS) || !this.lock.held) return;
    this.#zombie = true;
    this.history.write({ f: 'zombie', key: this.key, n: this.n });
  }

  /** It ended now, or at its deadline if that has passed unnoticed. */
  #end(why: string): void {
    if (this.#endedAt !== undefined) return;
    this.#endedAt = performance.now();
    const now = process.hrtime.bigint();
    const passed = this.#until < now;
    this.history.write({ t: passed ? this.#until : now, f: 'end', n: this.n, why: passed ? 'deadline' : why });
  }
}

/** Asks for locks and writes down what comes of it. */
export class Sections {
  readonly #open = new Set<Section>();
  #count = 0;
  #lastLook = performance.now();

  constructor(readonly history: HistoryWriter) {
    setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  /** Looks at every section: regularly, and before and after a clock is stepped. */
  look(): void {
    const now = performance.now();
    const stood = now - this.#lastLook;
    this.#lastLook = now;
    for (const section of this.#open) {
      section.look();
      if (section.over) this.#open.delete(section);
    }
    if (stood > 100) this.history.write({ f: 'stall', ms: Math.round(stood) });
  }

  /** Runs a body under a lock; without the lock, not at all. */
  async run(wish: Wish, body: (section: Section) => Promise<void>): Promise<void> {
    const { key } = wish;
    const n = ++this.#count;
    this.history.write({ f: 'ask', key, n });
    let lock: Lock;
    try {
      lock = await wish.acquire();
    } catch (error) {
      this.history.write({ f: 'fail', key, n, why: this.expect(error) });
      return sleep(30); // not to ask a server that is gone a thousand times a second
    }
    const section = this.#watch(n, wish, lock);
    try {
      await body(section);
      await section.release();
    } catch (error) {
      this.expect(error);
      await section.release().catch((second: unknown) => this.expect(second));
    }
  }

  /** Writes down what becomes of a lock that was granted some other way. */
  adopt(wish: Omit<Wish, 'acquire'>, lock: Lock): void {
    this.#watch(++this.#count, wish, lock);
  }

  /** The code of an error that may happen; any other is written down as odd. */
  expect(error: unknown): string {
    if (error instanceof LockError) return error.code;
    const { stack = String(error) } = error as Error;
    this.history.write({ f: 'odd', why: stack });
    return 'odd';
  }

  #watch(n: number, wish: Omit<Wish, 'acquire'>, lock: Lock): Section {
    const section = new Section(n, wish.key, lock, wish, this.history);
    this.#open.add(section);
    return section;
  }
}

/** A time of this process' wall clock on the clock that all processes share. */
function toMonotonic(date: Date): bigint {
  return process.hrtime.bigint() + BigInt(Math.round((date.getTime() - Date.now()) * 1e6));
}
