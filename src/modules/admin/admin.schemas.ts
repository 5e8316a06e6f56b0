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
});
export type AdminState = z.output<typeof adminState>;

/** How many counts were forgotten. */
export const limitsCleared = z.object({ cleared: z.number() });
export type LimitsCleared = z.output<typeof limitsCleared>;
