// Module
export { ThrottleModule } from './throttle.module.js';
export type {
  BlockOptions,
  CalendarUnit,
  CountedOutcomes,
  HeaderDialect,
  KeySource,
  LimitMode,
  LimitOptions,
  Outcome,
  OutagePolicy,
  PolicyRef,
  ProxyOptions,
  ProxyPreset,
  StopLossOptions,
  ThrottleOptions,
  TierLimit,
} from './throttle.options.js';

// Service and decisions
export { RateLimiter, type DecisionMessage } from './rate-limiter.service.js';
export type { ConsumeOptions, Subject } from './charges.js';
export type { Reservation, ReserveOptions } from './reservation.js';
export { decisionOf, type Decision, type DecisionState, type PolicyDecision } from './decision.js';

// Addresses
export { ClientAddresses } from './requests/client-address.resolver.js';
export { clientAddress, type ClientAddressOptions } from './requests/client-address.js';

// Rollout
export { RateLimitRollout, type RolloutReach, type RolloutState } from './rollout/rate-limit.rollout.js';
export type { StopLossTrip } from './rollout/stop-loss.js';

// Decorators and guard
export { RateLimit, SkipRateLimit } from './policies/rate-limit.decorator.js';
export { RateLimitGuard } from './requests/rate-limit.guard.js';

// Stores
export {
  RateLimitStore,
  type BlockRule,
  type DecideMode,
  type Hold,
  type LimitRequest,
  type LimitVerdict,
  type Settlement,
  type StoreVerdict,
} from './stores/rate-limit.store.js';
export { RedisRateLimitStore } from './stores/redis-rate-limit.store.js';
export { MemoryRateLimitStore, type MemoryRateLimitStoreOptions } from './stores/memory-rate-limit.store.js';
export type { AlgorithmName, Quota } from './algorithms/algorithm.js';
export { throttleKeys } from './stores/rate-limit.keys.js';
export { throttlerKeys } from './throttler/throttler.keys.js';
export { rolloutKeys } from './rollout/rollout.keys.js';

// Errors
export {
  InvalidCostError,
  InvalidRolloutError,
  InvalidSubjectError,
  RateLimitExceededError,
  RateLimitUnavailableError,
  ReservationRequiredError,
  UnknownPolicyError,
} from './throttle.errors.js';
