import { Gathering, type Commands } from '@roost/redis';
import { extendInBatches } from './extend-in-batches.js';
import { spaceKeys } from './lock.keys.js';
import type {
  ClaimOutcome,
  ExtendOutcome,
  HolderReport,
  LockClaim,
  LockHold,
  LockReport,
  Released,
} from './lock.store.js';
import { tokenOf, tokenText } from './lock.token.js';
import { acquireMutex, adoptSpace, type ClaimReply } from './lua/acquire.lua.js';
import { extendMutexes } from './lua/extend.lua.js';
import { forceMutex, inspectMutex, type MutexReply } from './lua/inspect.lua.js';
import { passMutex, releaseMutex, withdrawMutex } from './lua/release.lua.js';
import { acquireMany, releaseMany } from './lua/many.lua.js';
import { keysOfMutex, keysOfMutexes, lockAndQueueKeysOf, locksOf } from './mutex-keys.js';
import type { RedisLockSpace } from './redis-shared-locks.js';

const RELEASED: Released = { outcome: 'released', next: undefined };
const ABSENT: Released = { outcome: 'absent', next: undefined };

/** Mutexes in Redis, of one key or of several at once, by Redis' clock. */
export class RedisMutexes {
  /** What is asked for many locks at once, one of each, goes in one call. */
  readonly #claims: Gathering<LockClaim, ClaimOutcome>;
  readonly #returns: Gathering<LockHold, Released>;

  constructor(private readonly space: RedisLockSpace) {
    this.#claims = new Gathering<LockClaim, ClaimOutcome>(
      (claim) => this.#acquire(claim),
      (claims) => this.#acquireMany(claims),
    );
    this.#returns = new Gathering<LockHold, Released>(
      (hold) => this.#release(hold),
      (holds) => this.#releaseMany(holds),
    );
  }

  /** Whether Redis had no trace of locks, and is now known without a quarantine. */
  async adopt(): Promise<boolean> {
    return (await this.space.commands.run(adoptSpace, spaceKeys, { least: this.space.least() })) === 1;
  }

  acquire(claim: LockClaim): Promise<ClaimOutcome> {
    return claim.keys.length === 1 ? this.#claims.ask(claim) : this.#acquire(claim);
  }

  async #acquire(claim: LockClaim): Promise<ClaimOutcome> {
    const args = this.#argsOf(claim, claim.holder);
    return this.#outcome(await this.space.commands.run(acquireMutex, keysOfMutexes(claim.keys), args));
  }

  async #acquireMany(claims: readonly LockClaim[]): Promise<readonly (ClaimOutcome | undefined)[]> {
    const { commands, quarantine, owner } = this.space;
    const told = claims.flatMap(({ holder, ttlMs }) => [holder, ttlMs]);
    const args = { quarantine, least: this.space.least(), owner, claims: told };
    const tokens = await commands.run(acquireMany, lockAndQueueKeysOf(claims.map(({ keys }) => keys[0]!)), args);
    return tokens.map((token) => (token === null ? undefined : this.#outcome([1, token, 0])));
  }

  extend(holds: readonly LockHold[], commands: Commands): Promise<readonly ExtendOutcome[]> {
    const { quarantine, owner } = this.space;
    return extendInBatches(holds, (batch) => {
      const told = batch.flatMap(({ keys, holder, token, ttlMs }) => [keys.length, holder, tokenText(token), ttlMs]);
      const args = { quarantine, least: this.space.least(), owner, holds: told };
      return commands.run(extendMutexes, locksOf(batch.flatMap(({ keys }) => keys)), args);
    });
  }

  release(hold: LockHold, next?: LockClaim): Promise<Released> {
    if (next !== undefined) return this.#pass(hold, next);
    return hold.keys.length === 1 ? this.#returns.ask(hold) : this.#release(hold);
  }

  async #release({ keys, holder, token }: LockHold): Promise<Released> {
    const args = { turns: this.space.turns, holder, token: tokenText(token) };
    const released = await this.space.commands.run(releaseMutex, keysOfMutexes(keys), args);
    return { outcome: outcomeOf(released), next: undefined };
  }

  async #pass({ keys, holder, token }: LockHold, next: LockClaim): Promise<Released> {
    const args = { ...this.#argsOf(next, holder), token: tokenText(token), next: next.holder };
    const [released, ...answer] = await this.space.commands.run(passMutex, keysOfMutexes(keys), args);
    return { outcome: outcomeOf(released), next: this.#outcome(answer) };
  }

  async #releaseMany(holds: readonly LockHold[]): Promise<readonly (Released | undefined)[]> {
    const told = holds.map(({ holder, token }) => `${holder}|${tokenText(token)}`);
    const keys = lockAndQueueKeysOf(holds.map((hold) => hold.keys[0]!));
    const outcomes = await this.space.commands.run(releaseMany, keys, { holds: told });
    return outcomes.map((outcome) => (outcome === null ? undefined : outcome === 1 ? RELEASED : ABSENT));
  }

  async withdraw({ keys, holder }: LockClaim): Promise<void> {
    await this.space.commands.run(withdrawMutex, keysOfMutexes(keys), { turns: this.space.turns, holder });
  }

  async inspect(key: string): Promise<LockReport> {
    const reply = await this.space.commands.run(inspectMutex, keysOfMutex(key), {});
    return { holders: holdersIn(reply), waiting: reply[2] };
  }

  async force(key: string): Promise<readonly HolderReport[]> {
    const { commands, turns } = this.space;
    return holdersIn(await commands.run(forceMutex, keysOfMutex(key), { turns }));
  }

  /** Written out in full: to spread objects would take longer. */
  #argsOf({ ttlMs, wait }: LockClaim, holder: string) {
    const { quarantine, turns, waiterTtlMs, owner } = this.space;
    const least = this.space.least();
    return { quarantine, least, turns, holder, ttlMs, wait: wait ? 1 : 0, waiterTtlMs, owner };
  }

  #outcome([state, text, ms]: ClaimReply): ClaimOutcome {
    if (state === 0) return { state: 'busy', retryInMs: ms };
    if (state < 0) return { state: 'quarantine', retryInMs: ms };
    const token = tokenOf(text);
    this.space.raise(token); // what was seen once is not given again, even if Redis forgets it
    return { state: 'granted', token };
  }
}

function outcomeOf(released: number): Released['outcome'] {
  return released === 1 ? 'released' : released === 0 ? 'absent' : 'foreign';
}

/** Those who hold it: one or none. What was released in a quarantine has no holder. */
function holdersIn([value, ttlMs]: MutexReply): HolderReport[] {
  const [holder, token, since, ...owner] = value.split('|');
  if (!holder || !token) return [];
  return [{ holder, token: tokenOf(token), owner: owner.join('|'), since: new Date(Number(since)), ttlMs, weight: 1 }];
}
