import { ms } from '../format.js';
import { failure, ok, warning, type Outcome } from './finding.js';
import { NoReplyError } from './resp-connection.js';
import { ReplyError, type Reply } from './resp-parser.js';
import type { Step, Visit } from './visit.js';
import { doctorKey } from './doctor.keys.js';

const PINGS = 20;
const SLOW_MEDIAN_MS = 5;
const SLOW_WORST_MS = 50;
const WHERE_PASSWORD = 'the URL (rediss://user:password@host), or the file that REDIS_PASSWORD_FILE names';

/**
 * Is it Redis that listens? Asked before AUTH, so that the password goes to nobody else: not to a TLS port in plain
 * text, not to another service on that port.
 */
export const ping: Step = async (visit) => {
  const { redis, target, options } = visit;
  const startedAt = performance.now();
  let reply: Reply;
  try {
    reply = await redis.call('PING');
  } catch (error) {
    const { kind, code } = error as NoReplyError;
    if (code && /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code)) {
      return failure('the server asks for a client certificate', 'Set `tls-auth-clients no` (or optional) there.');
    }
    if (kind === 'timeout') return silent(options.deadlineMs);
    if (!target.tls && (await visit.speaksTls())) {
      return failure('the server speaks TLS only', 'Write rediss:// instead of redis://, or set REDIS_TLS=true.');
    }
    return kind === 'closed'
      ? failure(
          `the connection was closed before an answer (${code ?? 'end'})`,
          'Check that this is the port of Redis, and its allow list.',
        )
      : notRedis;
  }
  visit.asksForPassword = reply instanceof ReplyError && reply.code === 'NOAUTH';
  if (reply === 'PONG') return ok(`Redis answered in ${ms(performance.now() - startedAt)}`);
  if (visit.asksForPassword)
    return ok(`Redis answered in ${ms(performance.now() - startedAt)} and asks for a password`);
  return reply instanceof ReplyError ? explain(reply) : notRedis;
};

/** Who are we to the server? Neither the password nor the server's own words about it are ever repeated. */
export const auth: Step = async (visit) => {
  const { target, redis } = visit;
  if (!target.password) {
    return visit.asksForPassword
      ? failure('NOAUTH: the server asks for a password, and none is set', `Put it into ${WHERE_PASSWORD}.`)
      : withoutPassword(visit);
  }
  const reply = await redis.call('AUTH', ...(target.username ? [target.username] : []), target.password);
  if (reply instanceof ReplyError) {
    if (/without any password|no password is set/i.test(reply.text)) {
      return warning(
        'a password is set here, but the server asks for none',
        'Set `requirepass` or an ACL user at the server.',
      );
    }
    if (reply.code === 'WRONGPASS' || /invalid password/i.test(reply.text)) {
      return failure(
        'WRONGPASS: wrong password, or no such user, or a disabled one',
        `Compare user and password with the provider's; they come from ${WHERE_PASSWORD}.`,
      );
    }
    if (/wrong number of arguments/i.test(reply.text)) {
      return failure(
        'the server is older than Redis 6 and knows no users',
        'Leave the user out: redis://:password@host.',
      );
    }
    return failure(`${reply.code}: AUTH was refused`, 'Look into the log of the server.');
  }
  const allowed = await redis.call('PING');
  if (allowed instanceof ReplyError) return explain(allowed);
  if (!visit.asksForPassword && !visit.onThisMachine) return withoutPassword(visit);
  return ok(target.username ? 'user and password accepted' : 'password accepted');
};

/** Is there the database that the URL names? Skipped for database 0. */
export const database: Step = async ({ target, redis }) => {
  if (target.db === 0) return null;
  const reply = await redis.call('SELECT', String(target.db));
  return reply instanceof ReplyError
    ? failure(
        `database ${target.db} was refused (${reply.code})`,
        'Use /0; Roost keeps applications apart by key prefix.',
      )
    : ok(`database ${target.db} selected`);
};

/** May we do what Roost does all the time: run a script that writes a key of ours? The key lives for a second. */
export const write: Step = async ({ redis, options }) => {
  const script = `redis.call('TIME'); return redis.call('SET', KEYS[1], '1', 'PX', ${doctorKey.ttlMs})`;
  const key = `${options.env.ROOST_KEY_PREFIX || 'roost'}:${doctorKey.of({}).name}`;
  const reply = await redis.call('EVAL', script, '1', key);
  if (!(reply instanceof ReplyError)) return ok(`a script wrote ${key}, which lives for 1 s`);
  if (reply.code === 'MOVED' || reply.code === 'ASK') {
    return warning(
      'a Cluster: another node holds the key',
      'Name the nodes in REDIS_CLUSTER_NODES; this looked at one only.',
    );
  }
  return explain(reply);
};

/** How far away is it? */
export const latency: Step = async ({ redis, options }) => {
  const took: number[] = [];
  const endsAt = performance.now() + options.deadlineMs;
  while (took.length < PINGS && (took.length === 0 || performance.now() < endsAt)) {
    const startedAt = performance.now();
    await redis.call('PING');
    took.push(performance.now() - startedAt);
  }
  took.sort((a, b) => a - b);
  const [median, worst] = [took[Math.floor(took.length / 2)]!, took.at(-1)!];
  const says = `${took.length} PINGs: median ${ms(median)}, worst ${ms(worst)}`;
  if (median <= SLOW_MEDIAN_MS && worst <= SLOW_WORST_MS) return ok(says);
  const todo =
    median > SLOW_MEDIAN_MS
      ? 'Every limit and lock waits for this: put Redis into the region of the service.'
      : 'Single answers are slow: look at SLOWLOG, at swapping and at snapshots of a large memory.';
  return warning(says, todo);
};

/** The finding for a server that stopped answering. */
export function silent(deadlineMs: number): Outcome {
  return failure(
    `connected, but no answer within ${deadlineMs} ms`,
    'The server is frozen or overloaded, or something between swallows the traffic: look at its load and log.',
  );
}

const notRedis = failure('who answers there is no Redis', 'Correct host and port; the password was not sent.');

function withoutPassword(visit: Visit): Outcome {
  if (visit.target.username && !visit.target.password) {
    return warning(
      'the URL has a user and no password: nobody logs in',
      'A lone password needs a colon: rediss://:password@host.',
    );
  }
  if (visit.onThisMachine) return ok('no password needed; fine on this machine only');
  return warning(
    'the server lets in everyone who reaches it',
    'Set a password (`requirepass`, or ACL users) and let only the addresses of the service through.',
  );
}

/** What an error reply of Redis to an ordinary command means. Its text is the server's, and names no password of ours. */
function explain(reply: ReplyError): Outcome {
  // Scripts wrap what happened inside: look at the whole text. NOPERM is "ACL failure in script" there.
  const known = EXPLAINED.find(([pattern]) => pattern.test(reply.text));
  return known
    ? failure(`${known[1]} (${reply.code})`, known[2])
    : failure(`refused (${reply.code})`, 'Look into the log of the server.');
}

const EXPLAINED: readonly (readonly [RegExp, string, string])[] = [
  [
    /^NOPERM|ACL failure|can't (run|access)/,
    'NOPERM: logged in, but the user may not do this',
    'Allow it: ACL SETUSER <user> +@all -@admin -@dangerous +info ~roost:* &roost:*',
  ],
  [/^NOAUTH/, 'NOAUTH: still not logged in', `Put a password into ${WHERE_PASSWORD}.`],
  [/^DENIED/, 'protected mode: it serves only its own machine', 'Set a password there, and `bind` to its network.'],
  [/^LOADING/, 'the server is still loading its data', 'Try again in a while.'],
  [/^MASTERDOWN/, 'this is a replica that lost its master', 'Repair the replication, or name the master in the URL.'],
  [/^READONLY/, 'this is a replica: it refuses writes', 'Name the master in the URL, or set REDIS_SENTINELS.'],
  [/^OOM|OOM command/, 'the memory is full: writes are refused', 'Raise `maxmemory`; look for keys without expiry.'],
  [/^MISCONF/, 'it cannot save to disk and refuses writes', 'Free disk space, then look into the log of the server.'],
  [/^BUSY/, 'a script runs and never ends', 'SCRIPT KILL at the server; find out whose it was.'],
  [/max number of clients/, 'no connection is left', 'Raise `maxclients` or the plan; look for leaking clients.'],
  [
    /unknown command/i,
    'the server does not know this command',
    'It was renamed or is disabled there; Roost needs PING, EVAL and SET.',
  ],
];
