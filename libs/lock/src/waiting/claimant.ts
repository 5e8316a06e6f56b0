import { LockBusyError } from '../lock.errors.js';
import type { Grant } from '../holding/held-lock.js';
import type { LockClaim, LockHold } from '../stores/lock.store.js';

/** What a claimant asks for; which holder's name it is asked under is the line's business. */
export type LockRequest = Omit<LockClaim, 'holder' | 'wait'>;

// Both are written out in full: to spread an object takes longer than most of what is done about an uncontended lock.

/** A request under a holder's name. */
export function claimOf(request: LockRequest, holder: string, wait: boolean): LockClaim {
  const { kind, keys, ttlMs, weight, limit } = request;
  return { kind, keys, holder, ttlMs, weight, limit, wait };
}

/** A claim that was granted. */
export function holdOf(claim: LockClaim, token: bigint): LockHold {
  const { kind, keys, holder, ttlMs, weight, limit, wait } = claim;
  return { kind, keys, holder, ttlMs, weight, limit, wait, token };
}

/** One who waits for a lock in this process. */
export class Claimant {
  readonly granted: Promise<Grant>;
  /** What went wrong last, if asking for this line did. */
  trouble: Error | undefined;
  #resolve!: (grant: Grant) => void;
  #reject!: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  readonly #since = performance.now();

  constructor(
    readonly request: LockRequest,
    private readonly waitMs: number,
    private readonly signal: AbortSignal | undefined,
    private readonly onLeave: (claimant: Claimant) => void,
  ) {
    this.granted = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(() => this.fail(this.trouble ?? new LockBusyError(request.keys)), waitMs);
    signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** How long it would still wait, in ms. */
  get leftMs(): number {
    return this.waitMs - (performance.now() - this.#since);
  }

  /** Returns whether it still waited. */
  grant(grant: Grant): boolean {
    if (this.#ended) return false;
    this.#end();
    this.#resolve(grant);
    return true;
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    this.#end();
    this.#reject(error);
    this.onLeave(this);
  }

  readonly #aborted = () => this.fail(this.signal!.reason);

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.signal?.removeEventListener('abort', this.#aborted);
  }
}
