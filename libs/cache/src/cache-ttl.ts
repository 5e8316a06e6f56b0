/** Usual lifetimes, in ms, as every `ttl` takes them. */
export const CacheTTL = {
  ONE_MINUTE: 60_000,
  FIVE_MINUTES: 300_000,
  ONE_HOUR: 3_600_000,
  SIX_HOURS: 21_600_000,
  ONE_DAY: 86_400_000,
  SEVEN_DAYS: 604_800_000,
  THIRTY_DAYS: 2_592_000_000,
  NINETY_DAYS: 7_776_000_000,
} as const;
