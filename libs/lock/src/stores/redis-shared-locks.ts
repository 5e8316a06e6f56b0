import type { Commands } from '@roost/redis';
import { extendInBatches } from './extend-in-batches.js';
import { queueKeysOf, sharedKeysOf, spaceKeys } from './lock.keys.js';
import type {
  ClaimOutcome,
  ExtendOutcome,
  HolderReport,
  LockClaim,
  LockHold,
  LockKind,
  LockReport,
  Released,
} from './lock.store.js';
import { tokenOf, tokenText } from './lock.token.js';
import { acquireShared, extendShared, type SharedClaimReply } from './lua/shared-acquire.lua.js';
import { forceShared, inspectShared, type SharedReport } from './lua/shared-inspect.lua.js';
import { releaseShared, withdrawShared } from './lua/shared-release.lua.js';

/** What locks of all kinds in one Redis have in common. */
export interface RedisLockSpace {
  readonly commands: Commands;
  readonly owner: string;
  readonly waiterTtlMs: number;
  /** How long it lasts, and for how much of that a former primary may go on granting: two numbers of ms. */
  readonly quarantine: string;
  /** The channel of wake-ups on the wire, without the instance. */
  readonly turns: string;
  /** The greatest token that is known, as text: what is given is greater. */
  least(): string;
  raise(token: bigint): void;
}

/** Read-write locks and semaphores in Redis, by Redis' clock: `limit` units, of which each holder has some. */
export class RedisSharedLocks {
  constructor(private readonly space: RedisLockSpace) {}

  async acquire(claim: LockClaim): Promise<ClaimOutcome> {
    const args = { ...this.#state(), ...this.#terms(claim), holder: claim.holder };
    return this.#outcome(await this.space.commands.run(acquireShared, keysOf(claim.kind, claim.keys[0]!), args));
  }

  extend(holds: readonly LockHold[], commands: Commands): Promise<readonly ExtendOutcome[]> {
    return extendInBatches(holds, (batch) => {
      const locks = batch.flatMap(({ kind, keys }) => Object.values(sharedKeysOf(kind, keys[0]!)));
      const told = batch.flatMap(({ holder, token, weight, limit, ttlMs }) => {
        return [holder, tokenText(token), weight, limit, ttlMs];
      });
      const args = { ...this.#state(), owner: this.space.owner, holds: told };
      return commands.run(extendShared, { ...spaceKeys, locks }, args);
    });
  }

  async release(hold: LockHold, next?: LockClaim): Promise<Released> {
    const { holder, token } = hold;
    const who = { holder, token: tokenText(token), next: next?.holder ?? '' };
    const args = { ...this.#state(), ...who, ...this.#terms(next ?? hold) };
    const keys = keysOf(hold.kind, hold.keys[0]!);
    const [released, ...answer] = await this.space.commands.run(releaseShared, keys, args);
    const outcome = released === 1 ? 'released' : 'absent';
    return { outcome, next: answer.length === 0 ? undefined : this.#outcome(answer) };
  }

  async withdraw({ kind, keys, holder }: LockClaim): Promise<void> {
    await this.space.commands.run(withdrawShared, keysOf(kind, keys[0]!), { turns: this.space.turns, holder });
  }

  async inspect(kind: LockKind, key: string): Promise<LockReport> {
    const report = await this.space.commands.run(inspectShared, keysOf(kind, key), {});
    return { holders: holdersIn(report), waiting: report[0] };
  }

  async force(kind: LockKind, key: string): Promise<readonly HolderReport[]> {
    const { commands, turns } = this.space;
    return holdersIn(await commands.run(forceShared, keysOf(kind, key), { turns }));
  }

  #state() {
    const { quarantine, turns } = this.space;
    return { quarantine, least: this.space.least(), turns };
  }

  #terms({ weight, limit, ttlMs, wait }: LockClaim) {
    const { waiterTtlMs, owner } = this.space;
    return { weight, limit, ttlMs, wait: wait ? 1 : 0, waiterTtlMs, owner };
  }

  #outcome([state, text, number]: SharedClaimReply): ClaimOutcome {
    if (state === 0) return { state: 'busy', retryInMs: number };
    if (state === -1) return { state: 'quarantine', retryInMs: number };
    if (state === -2) return { state: 'mismatch', limit: number };
    const token = tokenOf(text);
    this.space.raise(token); // what was seen once is not given again, even if Redis forgets it
    return { state: 'granted', token };
  }
}

function keysOf(kind: LockKind, name: string) {
  return { ...spaceKeys, ...sharedKeysOf(kind, name), ...queueKeysOf(kind, name) };
}

function holdersIn([, ...told]: SharedReport): HolderReport[] {
  const reports: HolderReport[] = [];
  for (let at = 0; at < told.length; at += 3) {
    const [weight, token, since, ...owner] = String(told[at + 1]).split('|') as [string, string, string];
    reports.push({
      holder: String(told[at]),
      token: tokenOf(token),
      owner: owner.join('|'),
      since: new Date(Number(since)),
      ttlMs: Number(told[at + 2]),
      weight: Number(weight),
    });
  }
  return reports;
}
