import { z } from 'zod';

const mode = z.enum(['auto', 'redis', 'memory']);
const breaker = z.string().meta({ examples: ['closed'] });

/** How a running service is. */
export const adminState = z.object({
  version: z.string(),
  uptimeSeconds: z.number(),
  backend: z.object({
    connection: z.string(),
    mode,
    current: z.enum(['redis', 'memory']),
    since: z.string(),
    reason: z.string().nullable(),
    forced: z.boolean(),
    read: breaker,
    write: breaker,
  }),
  rateLimits: z.object({
    mode,
    canaryPercent: z.number(),
    replicas: z.number(),
    policies: z.array(
      z.object({ policy: z.string(), limit: z.union([z.string(), z.number()]), window: z.string().optional() }),
    ),
    tiers: z.record(z.string(), z.string()),
  }),
  cache: z.object({
    cache_hit_rate: z.string().meta({ examples: ['85%'] }),
    avg_cache_response_ms: z.number(),
    avg_uncached_response_ms: z.number(),
    daily_api_calls_saved: z.number(),
    estimated_cost_savings: z.string().nullable(),
    hits: z.object({ near: z.number(), redis: z.number(), stale: z.number() }),
    misses: z.number(),
    loads: z.object({ ok: z.number(), failed: z.number() }),
    fenced: z.number(),
    bypassed: z.number(),
    oversize: z.number(),
    near: z.object({ entries: z.number(), bytes: z.number(), coherent: z.boolean() }),
    pendingInvalidations: z.number(),
  }),
  health: z
    .record(z.string(), z.looseObject({ status: z.enum(['up', 'degraded', 'down']) }))
    .meta({ description: 'What each part tells of itself: of jobs also each queue, of streams each group' }),
});
export type AdminState = z.output<typeof adminState>;

/** How many counts were forgotten. */
export const limitsCleared = z.object({ cleared: z.number() });
export type LimitsCleared = z.output<typeof limitsCleared>;

/** What is to be forgotten. */
export const cacheRequest = z.object({
  tag: z
    .string()
    .min(1)
    .max(256)
    .meta({ description: 'As the values were tagged', examples: ['cars', 'city:Lisbon', 'car:car-1'] }),
});
export type CacheRequest = z.output<typeof cacheRequest>;

/** The tag whose values are not served any more. */
export const cacheInvalidated = z.object({ invalidated: z.string() });
export type CacheInvalidated = z.output<typeof cacheInvalidated>;

const limitMode = z.union([z.enum(['enforce', 'shadow']), z.strictObject({ canary: z.number().min(0).max(1) })]);
const byLimit = <T extends z.ZodType>(value: T) => z.record(z.string(), value);

/** What operators change at run time; what is left out stays as it is. */
export const rolloutChange = z.strictObject({
  paused: z.boolean().optional().meta({ description: 'Whether all requests pass uncounted' }),
  canaryPercent: z.number().min(0).max(100).optional(),
  modes: byLimit(limitMode).optional(),
  limits: byLimit(z.strictObject({ limit: z.number(), window: z.string().optional() })).optional(),
});
export type RolloutChange = z.output<typeof rolloutChange>;

/** What is in force beside the configuration. */
export const rollout = z.object({
  paused: z.boolean(),
  canaryPercent: z.number(),
  modes: byLimit(limitMode),
  limits: byLimit(z.object({ limit: z.number(), windowMs: z.number().optional() })),
  stopLoss: z
    .object({ at: z.string(), p95Ms: z.number(), overMs: z.number(), checks: z.number(), slow: z.number() })
    .nullable(),
});
export type Rollout = z.output<typeof rollout>;
