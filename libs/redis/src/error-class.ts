/** Why Redis failed, as far as breakers, retries and logs care. */
export type ErrorClass =
  'unreachable' | 'timeout' | 'not_ready' | 'read_only' | 'full' | 'quota' | 'auth' | 'bug' | 'caller_abort';

const PATTERNS: readonly (readonly [ErrorClass, RegExp])[] = [
  ['caller_abort', /\bAbortError: The user aborted|operation was aborted by the caller/],
  ['timeout', /timed out|socket timeout|TimeoutError|ETIMEDOUT.*command|did not answer/i],
  ['read_only', /^(READONLY|NOREPLICAS)\b/],
  ['full', /^(OOM|MISCONF)\b|DB capacity quota exceeded/],
  ['quota', /max (daily request|requests) limit exceeded|max concurrent connections exceeded|\b429\b/],
  ['auth', /^(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|without any password|\b401\b/i],
  ['not_ready', /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)\b|max number of clients reached/],
  [
    'unreachable',
    /ECONN(REFUSED|RESET|ABORTED)|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOENT|Connection is closed|Stream isn't writeable|max retries per request|Command aborted due to connection close|socket hang up|fetch failed|\b50[234]\b|certificate|self[- ]signed|\bSSL|\bTLS|Protocol error|Socket closed|disconnected/i,
  ],
];

/**
 * The class of an error that Redis, the client or the network gave. An unknown reply of Redis is a `bug`, so that it
 * surfaces; an unknown error of the operating system means that Redis was not reached.
 */
export function classifyError(error: unknown): ErrorClass {
  const { message, code, name } = error as { message?: string; code?: string; name?: string };
  const text = String(message ?? error);
  if (name === 'AbortError' && !/connection close/.test(text)) return 'caller_abort';
  const probe = code && !text.includes(code) ? `${text} ${code}` : text;
  const known = PATTERNS.find(([, pattern]) => pattern.test(probe))?.[0];
  return known ?? (code !== undefined && name !== 'ReplyError' ? 'unreachable' : 'bug');
}

/** What an error says, without what was sent: Redis repeats the arguments of a command that it does not know. */
export function safeMessage(error: Error): string {
  return error.message.replace(/,? with args beginning with:.*$/s, '');
}

/** Whether an error of this class says that Redis is not available to reads, writes, both or neither. */
export function stops(direction: 'read' | 'write', errorClass: ErrorClass): boolean {
  if (errorClass === 'bug' || errorClass === 'caller_abort') return false;
  return direction === 'write' || (errorClass !== 'read_only' && errorClass !== 'full');
}
