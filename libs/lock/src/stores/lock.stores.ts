import { LockUnavailableError } from '../lock.errors.js';
import type { Assurance } from '../lock.js';
import type { LockKind, LockStore } from './lock.store.js';

/** How the store that decides by configuration is doing. */
export interface PrimaryStanding {
  /** Why it is known to be lost; undefined while it serves. */
  readonly lostBy: string | undefined;
  /** What its locks survive, as far as that was found out. */
  readonly assurance: Assurance;
  /** Resolves when it may be asked, or is not there. @throws InvalidOptionsError when it must not be used. */
  settle(): Promise<void>;
  /** Looks after nothing any more. */
  close(): void;
}

/** A store that is there as long as this process. */
const ALWAYS_THERE: PrimaryStanding = {
  lostBy: undefined,
  assurance: 'lease',
  settle: () => Promise.resolve(),
  close: () => undefined,
};

/**
 * Which store decides now. Redis or memory by configuration, never one for the other: locks in the memory of several
 * processes exclude nobody. Only the guard, a database that fences what is written, may stand in for Redis.
 */
export class LockStores {
  #quarantineEnds = -Infinity;
  #askAgainAt = -Infinity;

  constructor(
    readonly primary: LockStore,
    private readonly guardStore?: LockStore,
    private readonly standing: PrimaryStanding = ALWAYS_THERE,
  ) {}

  /** Undefined when the primary store is known to be lost, and no guard can stand in. */
  preferred(kind: LockKind): LockStore | undefined {
    const guard = this.#guardOf(kind);
    if (this.standing.lostBy !== undefined) return guard;
    return guard !== undefined && performance.now() < this.#askAgainAt ? guard : this.primary;
  }

  /** Why there is no store to ask. */
  lost(): LockUnavailableError {
    return new LockUnavailableError(new Error(`Redis is lost (${this.standing.lostBy ?? 'just back'})`), false);
  }

  /** Resolves when the primary store may be asked, or is not there. @throws InvalidOptionsError when it must not be used. */
  settle(): Promise<void> {
    return this.standing.settle();
  }

  close(): void {
    this.standing.close();
  }

  /** What a lock of this store survives. */
  assuranceOf({ name }: LockStore): Assurance {
    return name === 'postgres' ? 'fenced' : this.standing.assurance;
  }

  /** Why the primary store does not decide now; undefined while it does. */
  get trouble(): string | undefined {
    return this.standing.lostBy ?? (performance.now() < this.#quarantineEnds ? 'quarantine' : undefined);
  }

  /** What stands in for a store that could not decide. */
  insteadOf(store: LockStore, kind: LockKind): LockStore | undefined {
    const guard = this.#guardOf(kind);
    return store === guard ? undefined : guard;
  }

  /** The primary store said so; until it is over the guard is asked at once. */
  quarantined(ms: number): void {
    this.#quarantineEnds = performance.now() + ms;
    this.#askAgainAt = performance.now() + Math.min(ms, 1_000); // an operator may have ended it
  }

  /** A lock was granted: the store that may have to decide next begins with later tokens. */
  granted({ name }: LockStore, token: bigint): void {
    if (name === this.primary.name) this.#quarantineEnds = -Infinity;
    if (this.guardStore === undefined) return;
    (name === this.primary.name ? this.guardStore : this.primary).raise(token);
  }

  /** Somebody else has seen this token: from now on all stores grant later ones. */
  raise(token: bigint): void {
    this.primary.raise(token);
    this.guardStore?.raise(token);
  }

  /** Only what one holder has alone can be fenced by a database. */
  #guardOf(kind: LockKind): LockStore | undefined {
    return kind === 'mutex' ? this.guardStore : undefined;
  }
}
