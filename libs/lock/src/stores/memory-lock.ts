import type { LockClaim } from './lock.store.js';

/** What one holder has of a lock. */
export interface Grant {
  readonly token: bigint;
  readonly weight: number;
  readonly limit: number;
  /** By the wall clock, for reports. */
  readonly sinceMs: number;
  /** By the monotonic clock, like all other times here. */
  endsAt: number;
}

interface Waiter {
  readonly claim: LockClaim;
  readonly aliveUntil: number;
}

/** One lock in the memory of this process: who holds it, and who waits for it, in order. */
export class MemoryLock {
  readonly holders = new Map<string, Grant>();
  readonly #waiters = new Map<string, Waiter>();
  /** Before this nothing here can have run out. */
  #dueAt = Infinity;

  /** Forgets those whose time is over. */
  prune(now: number): this {
    if (now < this.#dueAt) return this;
    this.#dueAt = Infinity;
    for (const [holder, { endsAt }] of this.holders) {
      if (endsAt <= now) this.holders.delete(holder);
      else this.#dueAt = Math.min(this.#dueAt, endsAt);
    }
    for (const [holder, { aliveUntil }] of this.#waiters) {
      if (aliveUntil <= now) this.#waiters.delete(holder);
      else this.#dueAt = Math.min(this.#dueAt, aliveUntil);
    }
    return this;
  }

  get unused(): boolean {
    return this.holders.size === 0 && this.#waiters.size === 0;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** The limit that others hold it under, when it is another one. */
  otherLimit({ holder, limit }: LockClaim): number | undefined {
    for (const [each, grant] of this.holders) if (each !== holder && grant.limit !== limit) return grant.limit;
    return undefined;
  }

  /** Whether the claim could be granted now: nobody was there before it, and there is room. */
  admits(claim: LockClaim): boolean {
    const head = this.#waiters.keys().next();
    return (head.done === true || head.value === claim.holder) && this.#hasRoom(claim);
  }

  grant(claim: LockClaim, grant: Grant): void {
    this.#waiters.delete(claim.holder);
    this.holders.set(claim.holder, grant);
    this.#dueAt = Math.min(this.#dueAt, grant.endsAt);
  }

  extend(grant: Grant, endsAt: number): void {
    grant.endsAt = endsAt;
    this.#dueAt = Math.min(this.#dueAt, endsAt);
  }

  /** Joins the queue, or keeps its place there, and is alive until then. */
  join(claim: LockClaim, aliveUntil: number): void {
    this.#waiters.set(claim.holder, { claim, aliveUntil });
    this.#dueAt = Math.min(this.#dueAt, aliveUntil);
  }

  leave(holder: string): void {
    this.#waiters.delete(holder);
  }

  /** Who waits first, if there is room for it. */
  next(): string | undefined {
    const [head] = this.#waiters.values();
    return head !== undefined && this.#hasRoom(head.claim) ? head.claim.holder : undefined;
  }

  /** In how many ms the first of the present holders has to be gone; 0 when there is none. */
  retryInMs(now: number): number {
    let first = Infinity;
    for (const { endsAt } of this.holders.values()) first = Math.min(first, endsAt);
    return first === Infinity ? 0 : Math.ceil(first - now);
  }

  #hasRoom({ holder, weight, limit }: LockClaim): boolean {
    let used = weight;
    for (const [each, grant] of this.holders) if (each !== holder) used += grant.weight;
    return used <= limit;
  }
}
