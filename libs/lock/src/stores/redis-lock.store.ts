import { isRedisUnavailable, type Commands, type PubSub } from '@roost/redis';
import { LockUnavailableError } from '../lock.errors.js';
import {
  LockStore,
  type ClaimOutcome,
  type ExtendOutcome,
  type HolderReport,
  type LockClaim,
  type LockHold,
  type LockKind,
  type LockReport,
  type Released,
} from './lock.store.js';
import { tokenText } from './lock.token.js';
import { RedisMutexes } from './redis-mutexes.js';
import { RedisSharedLocks, type RedisLockSpace } from './redis-shared-locks.js';
import { Turns } from './turns.js';

/** What a {@link RedisLockStore} stands on. */
export interface RedisLockStoreParts {
  /** On a connection of their own, so that nothing else delays a renewal. */
  readonly commands: Commands;
  /** The same Redis over another socket: where a renewal is repeated. */
  readonly again: Commands;
  readonly pubsub: PubSub;
  /** This process: 22 characters of base64url, with which all its holders begin. */
  readonly instance: string;
  /** `host:pid`, for those who look who holds a lock. */
  readonly owner: string;
  readonly waiterTtlMs: number;
  /** How long nothing new is granted after a loss of memory; 0 for not at all. */
  readonly quarantineMs: number;
  /** For how much of that a former primary, cut off, may go on granting. @default 0 */
  readonly splitBrainMs?: number;
}

/** Decides in Redis, by Redis' clock, one script for each verb. */
export class RedisLockStore extends LockStore {
  readonly name = 'redis';
  readonly #turns: Turns;
  readonly #mutexes: RedisMutexes;
  readonly #shared: RedisSharedLocks;
  #greatest = 0n;
  /** As scripts take it. */
  #least = '0:0';

  constructor(private readonly parts: RedisLockStoreParts) {
    super();
    this.#turns = new Turns(parts.pubsub, parts.instance);
    const { prefix: turns } = this.#turns;
    const space: RedisLockSpace = {
      ...parts,
      turns,
      quarantine: `${parts.quarantineMs} ${parts.splitBrainMs ?? 0}`,
      least: () => this.#least,
      raise: (token) => this.raise(token),
    };
    this.#mutexes = new RedisMutexes(space);
    this.#shared = new RedisSharedLocks(space);
  }

  acquire(claim: LockClaim): Promise<ClaimOutcome> {
    return decided(this.#of(claim.kind).acquire(claim));
  }

  async extend(holds: readonly LockHold[], again = false): Promise<readonly ExtendOutcome[]> {
    const commands = again ? this.parts.again : this.parts.commands;
    const mutexes = holds.filter(({ kind }) => kind === 'mutex');
    const shared = holds.filter(({ kind }) => kind !== 'mutex');
    const [ofMutexes, ofShared] = await decided(
      Promise.all([this.#mutexes.extend(mutexes, commands), this.#shared.extend(shared, commands)]),
    );
    let [mutex, other] = [0, 0];
    return holds.map(({ kind }) => (kind === 'mutex' ? ofMutexes[mutex++]! : ofShared[other++]!));
  }

  release(hold: LockHold, next?: LockClaim): Promise<Released> {
    return decided(this.#of(hold.kind).release(hold, next));
  }

  withdraw(claim: LockClaim): Promise<void> {
    return decided(this.#of(claim.kind).withdraw(claim));
  }

  inspect(kind: LockKind, key: string): Promise<LockReport> {
    return decided(kind === 'mutex' ? this.#mutexes.inspect(key) : this.#shared.inspect(kind, key));
  }

  force(kind: LockKind, key: string): Promise<readonly HolderReport[]> {
    return decided(kind === 'mutex' ? this.#mutexes.force(key) : this.#shared.force(kind, key));
  }

  onTurn(listener: (holder: string | undefined) => void): () => void {
    return this.#turns.on(listener);
  }

  raise(token: bigint): void {
    if (token <= this.#greatest) return;
    this.#greatest = token;
    this.#least = tokenText(token);
  }

  /**
   * Takes a Redis without any trace of locks for one that was never used, which then needs no quarantine. Resolves to
   * whether it was such a Redis. Only for those who know: a flushed Redis looks the same.
   */
  adopt(): Promise<boolean> {
    return decided(this.#mutexes.adopt());
  }

  #of(kind: LockKind): RedisMutexes | RedisSharedLocks {
    return kind === 'mutex' ? this.#mutexes : this.#shared;
  }
}

/** Without an answer the store cannot decide; what is wrong in a command stays a bug. */
async function decided<Answer>(asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    if (isRedisUnavailable(error)) throw new LockUnavailableError(error, error.outcomeUnknown);
    throw error;
  }
}
