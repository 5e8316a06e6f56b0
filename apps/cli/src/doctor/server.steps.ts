import { bytes, percent } from '../format.js';
import { failure, ok, warning, type Outcome } from './finding.js';
import type { Step, Visit } from './visit.js';

const OLDEST = [6, 2] as const;
const NEARLY_FULL = 0.8;

/** Which Redis is it? Also reads INFO for the steps after it. */
export const version: Step = async (visit) => {
  const reply = await visit.redis.call('INFO');
  if (typeof reply !== 'string') {
    return warning(
      'INFO is refused: the rest is judged by what CONFIG shows',
      "Allow `+info`, or look at the provider's console.",
    );
  }
  visit.info = fieldsOf(reply);
  const redis = visit.info.get('redis_version') ?? 'unknown';
  const valkey = visit.info.get('valkey_version');
  const mode = visit.info.get('redis_mode') ?? 'standalone';
  const says = `${valkey ? `Valkey ${valkey}, as ` : ''}Redis ${redis}, ${mode}`;
  const [major = 0, minor = 0] = redis.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
    ? warning(says, `Upgrade: below ${OLDEST.join('.')} nothing is tested and nothing is repaired.`)
    : ok(says);
};

/** Does the server throw away keys when it is full? Locks and limits are keys. */
export const eviction: Step = async (visit) => {
  const configured = await config(visit, 'maxmemory-policy');
  const policy = configured ?? visit.info?.get('maxmemory_policy');
  const refused = configured === null ? ' (CONFIG is refused; INFO says so)' : '';
  if (!policy) {
    return warning(
      'unknown: CONFIG is refused and INFO does not show it',
      "Set `noeviction` in the provider's console.",
    );
  }
  if (policy === 'noeviction') return ok(`noeviction: nothing is lost when memory is full${refused}`);
  return warning(
    `${policy}: when memory is full, locks, limits and jobs can be evicted${refused}`,
    'Set `maxmemory-policy noeviction`; give a cache that should evict a server of its own.',
  );
};

/** What is left after a crash, and is this the server that takes writes? */
export const persistence: Step = async (visit) => {
  const { info } = visit;
  if (!info) return null;
  if (info.get('role') === 'slave') {
    return failure('this is a replica', 'Name the master in the URL, or set REDIS_SENTINELS.');
  }
  if ([info.get('aof_last_write_status'), info.get('rdb_last_bgsave_status')].includes('err')) {
    return warning(
      'the last save to disk failed',
      'Free disk space and look into the log; it may begin to refuse writes.',
    );
  }
  const replicas = info.get('connected_slaves') ?? '?';
  const master = `master, ${replicas === '1' ? '1 replica' : `${replicas} replicas`}`;
  if (info.get('aof_enabled') === '1') return ok(`append-only file; ${master}`);
  const snapshots = await config(visit, 'save');
  if (snapshots) return ok(`snapshots: a crash forgets what came after the last one; ${master}`);
  const todo = 'Set `appendonly yes`: a restart forgets locks, limits, sessions and jobs.';
  return snapshots === null
    ? warning(`no append-only file, snapshots unknown as CONFIG is refused; ${master}`, todo)
    : warning(`none; ${master}`, todo);
};

/** How much room is left? */
export const memory: Step = async (visit) => {
  const used = number(visit, 'used_memory');
  const max = number(visit, 'maxmemory');
  if (used === null) return null;
  if (!max) return ok(`${bytes(used)} used, no limit set`);
  return room(
    `${bytes(used)} of ${bytes(max)}`,
    used / max,
    'Raise `maxmemory` or the plan; `roost keys` estimates what Roost needs.',
  );
};

/** How many more connections may come? */
export const clients: Step = async (visit) => {
  const connected = number(visit, 'connected_clients');
  const max = number(visit, 'maxclients') ?? Number((await config(visit, 'maxclients')) ?? 0);
  if (connected === null) return null;
  if (!max) return ok(`${connected} connected, limit unknown`);
  return room(
    `${connected} of ${max} connections`,
    connected / max,
    'Raise `maxclients` or the plan; each process holds a few.',
  );
};

function room(says: string, share: number, todo: string): Outcome {
  return share >= NEARLY_FULL ? warning(`${says} in use (${percent(share)})`, todo) : ok(`${says} in use`);
}

/** A setting of the server; null when CONFIG is refused, as managed providers do. */
async function config({ redis }: Visit, name: string): Promise<string | null> {
  const reply = await redis.call('CONFIG', 'GET', name);
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : null;
}

function number({ info }: Visit, field: string): number | null {
  const text = info?.get(field);
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}

function fieldsOf(text: string): Map<string, string> {
  return new Map(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
