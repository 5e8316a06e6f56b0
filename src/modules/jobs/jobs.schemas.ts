import { z } from 'zod';

/** How a job is doing. */
export const jobAnswer = z.object({
  state: z.enum(['waiting', 'delayed', 'active', 'completed', 'failed']),
  result: z.unknown().optional().meta({ description: 'What came of it, once it is completed' }),
});
export type JobAnswer = z.output<typeof jobAnswer>;
