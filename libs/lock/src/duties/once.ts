import { digest, show, type Duration } from '@roost/redis';
import {
  IdempotencyMismatchError,
  InvalidLockOptionsError,
  LockLostError,
  LockUnavailableError,
} from '../lock.errors.js';
import { milliseconds } from '../lock.config.js';
import { lockKey } from '../lock-key.js';
import type { Lock } from '../lock.js';
import { ONCE_LIMITS } from '../stores/lock.keys.js';
import type { DutyLocks } from './duties.parts.js';
import { decodeResult, encodeResult } from './json-result.js';
import type { OnceRecord, OnceRecords } from './once.records.js';
import { backOffMs, pause, type Pause } from './pause.js';

/** How something is done once. */
export interface OnceOptions {
  /** How long its result is known, and it is not done again. At most 90 days. */
  readonly keep: Duration;
  /** What the request was, such as its body: a key that is used for another request is refused. Kept as a digest. */
  readonly fingerprint?: string;
  /** After how long another may do it when the process that does it has died. @default the module's */
  readonly ttl?: Duration;
  /** How long to wait for one who does it just now. @default the module's */
  readonly wait?: Duration;
  /** The largest result as JSON, in bytes, at most 1,000,000. @default 65536 */
  readonly maxBytes?: number;
}

/** Does something once for each key, and answers everybody with the same result. */
export class Once {
  constructor(
    private readonly locks: Pick<DutyLocks, 'using'>,
    private readonly records: OnceRecords,
    private readonly wait: Pause = pause,
  ) {}

  /**
   * Runs the section unless its result is known. What fails is not remembered: its error passes unchanged, and the next
   * call runs it again, as does one after the lock was lost.
   * @throws LockBusyError when somebody else does it for longer than `wait`.
   * @throws IdempotencyMismatchError when the key was used with another fingerprint.
   * @throws UnstorableResultError when the result is no JSON, or too large; the section has then run.
   * @throws LockLostError when the lock was lost before the result was stored.
   * @throws LockUnavailableError when the store of the results cannot be asked, also in guard mode.
   */
  async run<Result>(key: string, options: OnceOptions, section: (lock: Lock) => Promise<Result>): Promise<Result> {
    const { keepMs, maxBytes } = checked(options);
    const { ttl, wait } = options;
    const id = idOf(lockKey(key));
    const fingerprint = options.fingerprint === undefined ? '' : idOf(options.fingerprint);
    const answer = (known: OnceRecord) => {
      if (known.fingerprint !== fingerprint) throw new IdempotencyMismatchError(key);
      return decodeResult(known.result) as Result;
    };
    const known = await this.records.find(id);
    if (known) return answer(known);
    const asked = { ...(ttl !== undefined && { ttl }), ...(wait !== undefined && { wait }) };
    return this.locks.using(lockKey('once', id), asked, async (lock) => {
      if (lock.backend !== this.records.backend) throw new LockUnavailableError(new Error(ELSEWHERE), false);
      const meanwhile = await this.records.find(id);
      if (meanwhile) return answer(meanwhile);
      const result = await section(lock);
      await this.#store(lock, id, { fingerprint, result: encodeResult(result, maxBytes) }, keepMs);
      return result;
    });
  }

  /** Tries as long as the lock is held: a store that lost its memory has the lock again once it was renewed. */
  async #store(lock: Lock, id: string, record: OnceRecord, keepMs: number): Promise<void> {
    for (let failures = 0; ; failures++) {
      lock.assertHeld();
      try {
        const outcome = await this.records.store(lock, id, record, keepMs);
        if (outcome === 'stored') return;
        if (outcome === 'foreign') throw new LockLostError(lock.keys, 'LOST');
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) throw error;
      }
      await this.wait(backOffMs(failures), lock.signal);
    }
  }
}

// Results of before the outage are where the guard cannot see them: what was done would be done again.
const ELSEWHERE = 'the results of `once` are in Redis, which is not asked now';

/** 22 characters whatever the text is; escaped, because unpaired surrogates have no bytes of their own. */
function idOf(text: string): string {
  return digest(JSON.stringify(text));
}

const KNOWN = new Set<string>(['keep', 'fingerprint', 'ttl', 'wait', 'maxBytes'] satisfies (keyof OnceOptions)[]);

function checked(options: OnceOptions) {
  const problems: string[] = [];
  if (typeof options !== 'object' || options === null) {
    throw new InvalidLockOptionsError([`expected options such as { keep, fingerprint }, got ${show(options)}`]);
  }
  // A misspelt `fingerprint` would answer one request with the result of another.
  for (const name of Object.keys(options)) if (!KNOWN.has(name)) problems.push(`unknown option \`${name}\``);
  const { keep, fingerprint, maxBytes = ONCE_LIMITS.defaultBytes } = options;
  const keepMs = milliseconds('keep', keep, false, problems);
  if (keepMs > ONCE_LIMITS.keepMs) problems.push(`Expected \`keep\` to be at most 90 days, got ${show(keep)}`);
  if (!(Number.isSafeInteger(maxBytes) && maxBytes > 0 && maxBytes <= ONCE_LIMITS.maxBytes)) {
    problems.push(`Expected \`maxBytes\` to be an integer from 1 to ${ONCE_LIMITS.maxBytes}, got ${show(maxBytes)}`);
  }
  if (fingerprint !== undefined && typeof fingerprint !== 'string') {
    problems.push(`Expected \`fingerprint\` to be a string, got ${show(fingerprint)}`);
  }
  if (problems.length > 0) throw new InvalidLockOptionsError(problems);
  return { keepMs, maxBytes };
}
