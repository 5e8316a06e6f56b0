import { classifyError, stops } from './error-class.js';

const cases = {
  unreachable: [
    'connect ECONNREFUSED 127.0.0.1:6379',
    'read ECONNRESET',
    'getaddrinfo ENOTFOUND redis.example',
    'connect ETIMEDOUT',
    'Connection is closed.',
    "Stream isn't writeable and enableOfflineQueue options is false",
    'Command aborted due to connection close',
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    'self-signed certificate',
  ],
  timeout: ['Command timed out', "Socket timeout. Expecting data, but didn't receive any in 1000ms."],
  not_ready: [
    'LOADING Redis is loading the dataset in memory',
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'CLUSTERDOWN The cluster is down',
    'BUSY Redis is busy running a script.',
    'ERR max number of clients reached',
  ],
  read_only: ["READONLY You can't write against a read only replica.", 'NOREPLICAS Not enough good replicas to write.'],
  full: [
    "OOM command not allowed when used memory > 'maxmemory'.",
    'MISCONF Redis is configured to save RDB snapshots',
  ],
  quota: ['ERR max daily request limit exceeded. Limit: 10000', 'ERR max concurrent connections exceeded'],
  auth: [
    'WRONGPASS invalid username-password pair or user is disabled.',
    'NOAUTH Authentication required.',
    "NOPERM this user has no permissions to run the 'set' command",
  ],
  bug: [
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "ERR unknown command 'foo'",
    "CROSSSLOT Keys in request don't hash to the same slot",
    'NOSCRIPT No matching script.',
    'x is not a function',
  ],
} as const;

describe('classifyError', () => {
  for (const [errorClass, messages] of Object.entries(cases)) {
    it.each(messages)(`calls it ${errorClass}: %s`, (message) => {
      expect(classifyError(new Error(message))).toBe(errorClass);
    });
  }

  it('takes an unknown error of the operating system for an unreachable Redis', () => {
    expect(classifyError(Object.assign(new Error('read EIO'), { code: 'EIO' }))).toBe('unreachable');
  });

  it('lets a full or read-only Redis stop writes alone, and a bug stop nothing', () => {
    expect([stops('write', 'full'), stops('read', 'full')]).toEqual([true, false]);
    expect([stops('write', 'read_only'), stops('read', 'read_only')]).toEqual([true, false]);
    expect([stops('write', 'bug'), stops('read', 'timeout')]).toEqual([false, true]);
  });
});
