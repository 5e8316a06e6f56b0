import { applyDecorators, UseGuards } from '@nestjs/common';
import { RateLimitGuard } from '../requests/rate-limit.guard.js';
import { rateLimited, unlimited } from './rate-limit.metadata.js';
import type { PolicyRef } from '../throttle.options.js';

/**
 * Limits a route, or all routes of a controller, by a policy of the module's options, a limit written in place, or
 * several: all must pass, are decided as one, and a request that one refuses is charged to none.
 *
 * On a method it replaces what its class has. A limit written in place is named after where it stands: `Class.method`, or
 * `Class`, then shared by its routes. Guards run from the lowest decorator up: put `@RateLimit` above an
 * authentication guard to limit users, below it to limit attempts.
 * @example
 * @RateLimit('login')
 * @RateLimit({ limit: 100, window: '1h', key: 'apiKey' })
 * @RateLimit(['login', { limit: 5, window: '1s' }])
 */
export function RateLimit(policies: PolicyRef | readonly PolicyRef[]): ClassDecorator & MethodDecorator {
  const refs = Array.isArray(policies) ? (policies as readonly PolicyRef[]) : [policies as PolicyRef];
  return applyDecorators(rateLimited(refs), UseGuards(RateLimitGuard));
}

/** Lifts the limits of the class from one of its routes, or those of a global guard from all routes of a controller. */
export function SkipRateLimit(): ClassDecorator & MethodDecorator {
  return unlimited(true) as ClassDecorator & MethodDecorator;
}
