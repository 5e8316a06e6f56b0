import { Injectable } from '@nestjs/common';
import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { Clock } from '../../common/clock.js';
import { BoundedExpiringMap } from './bounded-expiring-map.js';

const TTL_MS = 5 * 60_000;
const ATTEMPTS = 5;
const MAX_PENDING = 100_000;

interface PendingCode {
  readonly hash: Buffer;
  attemptsLeft: number;
}

/** One-time codes of six digits, kept by this process until `@roost/session` takes over. */
@Injectable()
export class Codes {
  // A million codes are hashed in a second: without a key that leaves with the process a hash would hide nothing.
  readonly #key = randomBytes(32);
  readonly #pending: BoundedExpiringMap<PendingCode>;

  constructor(clock: Clock) {
    this.#pending = new BoundedExpiringMap(TTL_MS, MAX_PENDING, () => clock.now());
  }

  /** Makes a new code; the user's former one is void. */
  issue(userId: string): string {
    const code = String(randomInt(1_000_000)).padStart(6, '0');
    this.#pending.set(userId, { hash: this.#hash(code), attemptsLeft: ATTEMPTS });
    return code;
  }

  /** Whether the code is the user's present one: true at most once per code, and never after five wrong tries. */
  verify(userId: string, code: string): boolean {
    const pending = this.#pending.get(userId);
    const hash = this.#hash(code);
    if (!pending) return false;
    const matches = timingSafeEqual(pending.hash, hash);
    pending.attemptsLeft -= 1;
    if (matches || pending.attemptsLeft === 0) this.#pending.delete(userId);
    return matches;
  }

  #hash(code: string): Buffer {
    return createHmac('sha256', this.#key).update(code).digest();
  }
}
