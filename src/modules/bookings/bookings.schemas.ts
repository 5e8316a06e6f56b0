import { z } from 'zod';

const MAX_DAYS = 366;
const DAY_MS = 86_400_000;

// Plausible days only: a year such as 20206 is a slip of the finger.
const day = z.iso
  .date({ error: 'Expected a day as YYYY-MM-DD', abort: true })
  .refine((text) => text >= '2000-01-01' && text < '2200-01-01', {
    error: 'Expected a day of the years 2000 to 2199',
    abort: true,
  })
  .meta({ examples: ['2026-06-01'] });

const carId = z
  .string()
  .min(1)
  .max(64)
  .meta({ examples: ['car-1'] });

/** Which car is wanted, from which day to the day on which it is back. */
export const bookingRequest = z
  .object({ carId, from: day, to: day, email: z.email().max(254).optional() })
  .refine(({ from, to }) => from < to, { path: ['to'], error: 'Expected a day after `from`', abort: true })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) <= MAX_DAYS * DAY_MS, {
    path: ['to'],
    error: `Expected at most ${MAX_DAYS} days after \`from\``,
  });
export type BookingRequest = z.output<typeof bookingRequest>;

/** The answer to it. */
export const bookingMade = z.object({
  id: z.uuid(),
  jobId: z.string().meta({ description: 'Of the e-mail that confirms it: GET /jobs/{jobId}' }),
});
export type BookingMade = z.output<typeof bookingMade>;

/** Whose bookings are asked for. */
export const bookingsRequest = z.object({ carId });
export type BookingsRequest = z.output<typeof bookingsRequest>;

const booking = z.object({ id: z.uuid(), carId: z.string(), from: z.string(), to: z.string() });
export type Booking = z.output<typeof booking>;

export const bookingAnswer = z.object({ data: booking });
export const bookingsAnswer = z.object({ data: z.array(booking) });
