import { z } from 'zod';

// What a city can be called: anything else would be asked for, and remembered, in vain.
const city = z
  .string()
  .max(64)
  .regex(/^\p{L}[\p{L}\p{M}\d .'’-]*$/u, { error: 'Expected the name of a city' })
  .meta({ examples: ['Lisbon'] });

/** Whose cars are asked for: those of one city, or of all. */
export const carsRequest = z.object({ city: city.optional() });
export type CarsRequest = z.output<typeof carsRequest>;

/** What changes about a car. */
export const carChange = z.strictObject({
  pricePerDay: z
    .int()
    .min(1)
    .max(10_000)
    .meta({ description: 'In whole euros', examples: [41] }),
});
export type CarChange = z.output<typeof carChange>;

const car = z.object({ id: z.string(), city: z.string(), pricePerDay: z.int() });

const metadata = z.object({
  cached: z.boolean().meta({ description: 'Whether it was there already' }),
  timestamp: z.iso.datetime().meta({ description: 'When it was loaded from the database' }),
});
export type Metadata = z.output<typeof metadata>;

export const carsAnswer = z.object({ data: z.array(car), metadata });
export const carAnswer = z.object({ data: car, metadata });
export const carChanged = z.object({ data: car });
