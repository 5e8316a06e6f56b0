import type { DecideMode, LimitRequest, RateLimitStore, StoreVerdict } from '../stores/rate-limit.store.js';

/** What a store says: at once where it knows. It throws nothing: what is wrong with it is an answer, too. */
export function askStore(
  store: RateLimitStore,
  requests: readonly LimitRequest[],
  mode: DecideMode,
): StoreVerdict | Promise<StoreVerdict> {
  try {
    return store.decideNow(requests, mode) ?? store.decide(requests, mode);
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
