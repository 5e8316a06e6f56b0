/** Who is asked while Redis is frozen. */
export const outage = {
  name: 'outage',
  about:
    'Time until a check is answered while Redis is frozen (SIGSTOP), one check after the other. An error counts as an answer. The last contestant is what one gets who has read about this: a `commandTimeout` on the client.',
  contestants: [
    'Roost RateLimiter',
    'nest-lab storage',
    'rate-limiter-flexible, insured',
    'rate-limiter-flexible, insured, commandTimeout 250',
  ],
} as const;
