import type { Commands } from '@roost/redis';
import { acquireKey, releaseKey, renewKey } from './key-limits.lua.js';
import { KeyLimits, refused, type KeyClaim, type KeyHold, type KeyVerdict } from './key-limits.js';
import { limitKeyOf } from './limit.keys.js';
import { cellOf } from './rate-cell.js';

/** Limits in Redis, by Redis' clock. Rejects as {@link Commands} do when Redis is not there. */
export class RedisKeyLimits extends KeyLimits {
  constructor(private readonly commands: Commands) {
    super();
  }

  async acquire(claim: KeyClaim): Promise<KeyVerdict> {
    const { token, concurrency = 0, leaseMs } = claim;
    const args = { token, concurrency, ...cellOf(claim.rate), leaseMs };
    const [state, waitMs] = await this.commands.run(acquireKey, { limit: limitKeyOf(claim) }, args);
    return state === 0 ? { granted: true } : refused(state === 1 ? 'concurrency' : 'rate', waitMs);
  }

  async renew(holds: readonly KeyHold[], leaseMs: number): Promise<readonly KeyHold[]> {
    // One script for each key, as each may have a slot of its own on a Cluster; all leave in one write.
    const lost = await Promise.all([...byKey(holds).values()].map((same) => this.#renewKey(same, leaseMs)));
    return lost.flat();
  }

  async release(hold: KeyHold): Promise<void> {
    await this.commands.run(releaseKey, { limit: limitKeyOf(hold) }, { token: hold.token });
  }

  async #renewKey(holds: readonly KeyHold[], leaseMs: number): Promise<readonly KeyHold[]> {
    const args = { leaseMs, tokens: holds.map(({ token }) => token) };
    const kept = await this.commands.run(renewKey, { limit: limitKeyOf(holds[0]!) }, args);
    return holds.filter((_, index) => kept[index] !== 1);
  }
}

function byKey(holds: readonly KeyHold[]): Map<string, KeyHold[]> {
  const groups = new Map<string, KeyHold[]>();
  for (const hold of holds) {
    const { name } = limitKeyOf(hold);
    const group = groups.get(name);
    if (group) group.push(hold);
    else groups.set(name, [hold]);
  }
  return groups;
}
