import type { Commands } from '@roost/redis';
import type { Assurance } from '../lock.js';
import { auditRedisSelf } from './lua/audit.lua.js';

/** What a deployment of Redis supports, and what is wrong with it. */
export interface RedisAudit {
  readonly assurance: Assurance;
  /** What makes locks weaker than they could be: for the log. */
  readonly warnings: readonly string[];
  /** What makes them worthless, among the warnings: `strict` fails the boot with these. */
  readonly problems: readonly string[];
}

/** What the module was told about the deployment. */
export interface AuditedOptions {
  /** 0 for no quarantine. */
  readonly quarantineMs: number;
  /** 0 when an isolated primary is not reckoned with. */
  readonly splitBrainMs: number;
}

/**
 * Looks what locks in this Redis survive. Rejects when Redis cannot be asked; who is told nothing believes in no more than
 * a `lease`.
 */
export async function auditRedis(commands: Commands, options: AuditedOptions): Promise<RedisAudit> {
  return judge(factsIn(await commands.run(auditRedisSelf, {}, {})), options);
}

function judge(facts: ReadonlyMap<string, string>, { quarantineMs, splitBrainMs }: AuditedOptions): RedisAudit {
  const eviction = evictionIn(facts);
  const problems = eviction === undefined ? [] : [eviction];
  if (facts.get('role') === 'slave') {
    problems.push('READ_ONLY: this Redis is a replica and grants no lock. Connect to the primary');
  }
  const warnings = [...problems];
  let assurance: Assurance = 'lease+quarantine';
  if (quarantineMs === 0) {
    warnings.push('`quarantine` is off: after a restart or failover of Redis two may hold the same lock');
    assurance = 'lease';
  }
  if (!facts.has('master_replid')) {
    warnings.push(
      'NO_REPLICATION_ID: this user may not run INFO in scripts, or Redis does not tell its `master_replid`: a failover ' +
        'that loses locks is not noticed. Allow `+info`',
    );
    assurance = 'lease';
  }
  const replicas = Number(facts.get('connected_slaves') ?? 0);
  if (replicas > 0 && assurance === 'lease+quarantine') {
    // Only there when `min-replicas-to-write` is set. Its max-lag cannot be asked for: CONFIG runs in no script.
    const guarded = facts.has('min_slaves_good_slaves');
    if (guarded && splitBrainMs > 0) assurance = 'lease+majority';
    else warnings.push(splitBrainWarning(guarded));
  }
  return { assurance: problems.length > 0 ? 'none' : assurance, warnings, problems };
}

/** Locks carry a TTL, so that `volatile-*` takes them before anything else. */
function evictionIn(facts: ReadonlyMap<string, string>): string | undefined {
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  const maxMemory = facts.get('maxmemory');
  if (policy === 'noeviction' || maxMemory === '0') return undefined;
  return (
    `EVICTION_POLICY: \`maxmemory-policy\` is ${policy} with \`maxmemory\` ${maxMemory ?? 'unknown'}: Redis may evict ` +
    'locks. Set it to noeviction, or give locks a Redis of their own (`connection`)'
  );
}

function splitBrainWarning(guarded: boolean): string {
  const wanted = guarded
    ? 'Set `splitBrain` to its `min-replicas-max-lag`'
    : 'Set `min-replicas-to-write` to 1 in Redis, and `splitBrain` to its `min-replicas-max-lag`';
  return `SPLIT_BRAIN: a primary that was cut off may go on granting while a replica takes over. ${wanted}`;
}

function factsIn(info: string): ReadonlyMap<string, string> {
  return new Map(Array.from(info.matchAll(/^(\w+):([^\r\n]*)/gm), ([, name, value]) => [name!, value!]));
}
