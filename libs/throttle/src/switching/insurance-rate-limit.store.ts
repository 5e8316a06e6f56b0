import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';

/**
 * Counts in this process while Redis is lost. Apart from the store that serves by choice, because what this one grants is
 * owed to Redis: see `OutageDebts`.
 */
export class InsuranceRateLimitStore extends MemoryRateLimitStore {}
