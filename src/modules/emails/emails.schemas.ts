import { z } from 'zod';

/** The queue of everything that is written to somebody. */
export const EMAILS = 'emails';

/** A booking that is to be confirmed. */
export const confirmation = z.object({
  bookingId: z.uuid(),
  carId: z.string(),
  from: z.iso.date(),
  to: z.iso.date(),
  /** Whom to write to. Unset: the desk. */
  email: z.email().optional(),
});
export type Confirmation = z.output<typeof confirmation>;

/** What came of an e-mail. */
export interface Written {
  readonly messageId: string;
}
