import type { Key } from '@roost/redis';
import {
  RateLimitStore,
  type DecideMode,
  type LimitRequest,
  type LimitVerdict,
  type Settlement,
  type StoreVerdict,
} from '../stores/rate-limit.store.js';

/** A store before another one, which it saves work. Whatever a shortcut does not know goes there. */
export abstract class ShortcutStore extends RateLimitStore {
  constructor(protected readonly inner: RateLimitStore) {
    super();
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    return this.inner.decide(limits, mode);
  }

  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict | undefined {
    return this.inner.decideNow(limits, mode);
  }

  settle(settlements: readonly Settlement[]): Promise<number> {
    return this.inner.settle(settlements);
  }

  renew(settlements: readonly Settlement[]): Promise<number> {
    return this.inner.renew(settlements);
  }

  adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]> {
    return this.inner.adjust(limits);
  }

  block(keys: readonly Key[], forMs: number): Promise<void> {
    return this.inner.block(keys, forMs);
  }

  unblock(keys: readonly Key[]): Promise<number> {
    return this.inner.unblock(keys);
  }

  violations(keys: readonly Key[]): Promise<readonly number[]> {
    return this.inner.violations(keys);
  }

  reset(keys: readonly Key[]): Promise<number> {
    return this.inner.reset(keys);
  }
}
