import { isRedisUnavailable, type Commands } from '@roost/redis';
import type { StoreFinding } from './queue.store.js';

/** With `XAUTOCLAIM`, `GETDEL` and fractional blocking times. */
const LEAST_VERSION = [6, 2] as const;

const SECTIONS = ['server', 'memory', 'persistence', 'replication'];
const TRIES = 4;

/** Looks what this Redis may do to jobs. A Redis that does not tell, as managed ones may not, has no findings. */
export async function auditRedis(commands: Commands): Promise<readonly StoreFinding[]> {
  const info = (await Promise.all(SECTIONS.map((section) => ask(commands, section)))).join('\n');
  const facts = new Map(Array.from(info.matchAll(/^(\w+):([^\r\n]*)/gm), ([, name, value]) => [name!, value!]));
  return [versionIn(facts), evictionIn(facts), persistenceIn(facts), replicationIn(facts)].filter(
    (finding) => finding !== undefined,
  );
}

/** A Redis that is busy, as at the start of many processes, is asked again; one that refuses is not. */
async function ask(commands: Commands, section: string): Promise<string> {
  for (let left = TRIES; ; left--) {
    try {
      return String(await commands.read<string>('INFO', section));
    } catch (error) {
      if (left === 1 || !isRedisUnavailable(error)) return '';
    }
  }
}

type Facts = ReadonlyMap<string, string>;

function versionIn(facts: Facts): StoreFinding | undefined {
  const version = facts.get('redis_version');
  if (version === undefined) return undefined;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_VERSION;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return {
    severity: 'refuse',
    about: 'version',
    message: `This is Redis ${version}, and queues need ${LEAST_VERSION.join('.')} or newer. Upgrade it.`,
  };
}

/** BullMQ's keys carry no TTL: `volatile-*` spares them, and takes the locks of jobs that run. */
function evictionIn(facts: Facts): StoreFinding | undefined {
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  const limit = facts.get('maxmemory');
  if (policy === 'noeviction') return undefined;
  const unlimited = limit === '0';
  return {
    severity: unlimited ? 'warn' : 'refuse',
    about: 'eviction',
    message:
      `\`maxmemory-policy\` is ${policy}: Redis ${unlimited ? 'would delete' : 'deletes'} jobs` +
      `${unlimited ? ' if it had a `maxmemory`' : ' when it is full'}. Set it to noeviction, or give jobs a Redis ` +
      "of their own (`connection`), or keep jobs in Postgres (`backend: 'postgres'`, QUEUE_BACKEND=postgres).",
  };
}

function persistenceIn(facts: Facts): StoreFinding | undefined {
  if (facts.get('aof_enabled') === '0') {
    return {
      severity: 'warn',
      about: 'persistence',
      message: 'Redis keeps no append-only file: jobs are lost when it restarts. Set `appendonly yes`.',
    };
  }
  if (facts.get('aof_last_write_status') !== 'err') return undefined;
  return {
    severity: 'warn',
    about: 'persistence',
    message: 'Redis failed to write its append-only file: jobs of now may be lost when it restarts. Look at its disk.',
  };
}

function replicationIn(facts: Facts): StoreFinding | undefined {
  if (facts.get('role') !== 'slave') return undefined;
  return {
    severity: 'refuse',
    about: 'replication',
    message: 'This Redis is a replica, which takes no jobs. Connect to the primary.',
  };
}
