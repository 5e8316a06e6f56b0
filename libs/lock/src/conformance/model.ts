import type { ClaimOutcome, ExtendOutcome, LockClaim, ReleaseOutcome } from '../stores/lock.store.js';
import { WAITER_TTL_MS } from './bench.js';

interface Held {
  readonly key: string;
  readonly claim: LockClaim;
  readonly grant: number;
  endsAt: number;
}

interface Waiting {
  readonly key: string;
  readonly holder: string;
  aliveUntil: number;
}

/** What locks of one kind are, in as few words as possible: two lists and a clock. Tokens are counted from 1. */
export class LockModel {
  #now = 0;
  #grants = 0;
  #held: Held[] = [];
  #waiting: Waiting[] = [];

  pass(ms: number): void {
    this.#now += ms;
    this.#held = this.#held.filter(({ endsAt }) => endsAt > this.#now);
    this.#waiting = this.#waiting.filter(({ aliveUntil }) => aliveUntil > this.#now);
  }

  ask(claim: LockClaim): { readonly state: ClaimOutcome['state']; readonly grant?: number } {
    const own = this.#own(claim);
    const endsAt = this.#now + claim.ttlMs;
    if (own.length === claim.keys.length && own.every(({ grant }) => grant === own[0]!.grant)) {
      for (const held of own) held.endsAt = endsAt;
      return { state: 'granted', grant: own[0]!.grant };
    }
    const others = this.#held.filter(({ key, claim: { holder } }) => {
      return claim.keys.includes(key) && holder !== claim.holder;
    });
    if (others.some((held) => held.claim.limit !== claim.limit)) {
      this.#leave(claim);
      return { state: 'mismatch' };
    }
    const free = claim.keys.every((key) => {
      const used = others.reduce((sum, held) => sum + (held.key === key ? held.claim.weight : 0), 0);
      const head = this.#waiting.find((each) => each.key === key);
      return used + claim.weight <= claim.limit && (head === undefined || head.holder === claim.holder);
    });
    if (free) {
      this.#leave(claim);
      this.#held = this.#held.filter((held) => !own.includes(held));
      this.#grants++;
      for (const key of claim.keys) this.#held.push({ key, claim, endsAt, grant: this.#grants });
      return { state: 'granted', grant: this.#grants };
    }
    if (claim.wait) {
      for (const key of claim.keys) {
        const place = this.#waiting.find((each) => each.key === key && each.holder === claim.holder);
        if (place) place.aliveUntil = this.#now + WAITER_TTL_MS;
        else this.#waiting.push({ key, holder: claim.holder, aliveUntil: this.#now + WAITER_TTL_MS });
      }
    }
    this.#held = this.#held.filter((held) => !own.includes(held)); // what force has left of several
    return { state: 'busy' };
  }

  extend(claim: LockClaim, grant: number): ExtendOutcome {
    const own = this.#own(claim).filter((held) => held.grant === grant);
    if (own.length !== claim.keys.length) return 'lost';
    for (const held of own) held.endsAt = this.#now + claim.ttlMs;
    return 'extended';
  }

  release(claim: LockClaim): ReleaseOutcome {
    const own = this.#own(claim);
    this.#leave(claim);
    this.#held = this.#held.filter((held) => !own.includes(held));
    const missing = claim.keys.filter((key) => own.every((held) => held.key !== key));
    if (missing.length === 0) return 'released';
    const taken = claim.kind === 'mutex' && this.#held.some(({ key }) => missing.includes(key));
    return taken ? 'foreign' : 'absent';
  }

  force(key: string): readonly string[] {
    const taken = this.holders(key);
    this.#held = this.#held.filter((held) => held.key !== key);
    return taken;
  }

  holders(key: string): readonly string[] {
    return this.#held.filter((held) => held.key === key).map(({ claim }) => claim.holder);
  }

  waits({ holder }: LockClaim): boolean {
    return this.#waiting.some((each) => each.holder === holder);
  }

  waiting(key: string): number {
    return this.#waiting.filter((each) => each.key === key).length;
  }

  #own({ keys, holder }: LockClaim): Held[] {
    return this.#held.filter(({ key, claim }) => claim.holder === holder && keys.includes(key));
  }

  #leave({ keys, holder }: LockClaim): void {
    this.#waiting = this.#waiting.filter((each) => each.holder !== holder || !keys.includes(each.key));
  }
}
