import { defineKey } from '@roost/redis';

const options = { tag: 'rate' } as const;

/** The processes that share the limits, by the moment they were last seen. */
export const replicasKey = defineKey('rate:replicas', { ...options, ttl: '1m', maxBytes: 10_000 });
/** What operators changed at run time. */
export const rolloutKey = defineKey('rate:rollout', { ...options, ttl: '30d', maxBytes: 10_000 });

/** Every kind of key that is not about a subject. */
export const rolloutKeys = [replicasKey, rolloutKey] as const;
