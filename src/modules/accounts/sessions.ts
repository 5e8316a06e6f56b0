import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { Clock } from '../../common/clock.js';
import { BoundedExpiringMap } from './bounded-expiring-map.js';

/** How long a session lives after sign-in. */
export const SESSION_TTL_MS = 24 * 60 * 60_000;
const MAX_SESSIONS = 100_000;

/** Who is signed in, kept by this process until `@roost/session` takes over. */
@Injectable()
export class Sessions {
  readonly #users: BoundedExpiringMap<string>;

  constructor(clock: Clock) {
    this.#users = new BoundedExpiringMap(SESSION_TTL_MS, MAX_SESSIONS, () => clock.now());
  }

  /** Signs a user in and returns the id for the cookie, 256 random bits. */
  start(userId: string): string {
    const id = randomBytes(32).toString('base64url');
    this.#users.set(digestOf(id), userId);
    return id;
  }

  userOf(id: string | undefined): string | undefined {
    return id === undefined ? undefined : this.#users.get(digestOf(id));
  }

  end(id: string | undefined): void {
    if (id !== undefined) this.#users.delete(digestOf(id));
  }
}

/** Ids are kept as digests: a lookup then takes no time that tells how much of a guess was right. */
function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
