import { z } from 'zod';

const userId = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Expected text without control characters')
  .meta({ examples: ['ann'] });

/** Who asks for a code. */
export const codeRequest = z.object({ userId });
export type CodeRequest = z.output<typeof codeRequest>;

/** The answer to it: only outside production it holds the code, which a real service would send by mail. */
export const codeIssued = z.object({ code: z.string().optional() });
export type CodeIssued = z.output<typeof codeIssued>;

/** Who signs in, with which code. */
export const sessionRequest = z.object({ userId, code: z.string().regex(/^\d{6}$/, 'Expected six digits') });
export type SessionRequest = z.output<typeof sessionRequest>;

/** Who is signed in. */
export const account = z.object({ userId: z.string() });
export type Account = z.output<typeof account>;
