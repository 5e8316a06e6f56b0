import { z } from 'zod';

/** Which car is asked about. */
export const quoteRequest = z.object({
  carId: z
    .string()
    .min(1)
    .max(64)
    .meta({ examples: ['car-1'] }),
});
export type QuoteRequest = z.output<typeof quoteRequest>;

/** A price that holds until `validUntil`. */
const quote = z.object({
  carId: z.string(),
  city: z.string(),
  pricePerDay: z.number(),
  currency: z.literal('EUR'),
  validUntil: z.iso.datetime(),
});
export type Quote = z.output<typeof quote>;

export const quoteAnswer = z.object({ data: quote });
