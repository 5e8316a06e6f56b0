import { RoostError } from '@roost/redis';

/** What to print when the service cannot start: a sentence where the cause is known, the stack where it is a bug. */
export function bootFailure(error: unknown): string {
  if (error instanceof RoostError) return `${error.message} [${error.code}]`;
  // The system's own errors (EADDRINUSE, EACCES) say all there is to say in their message.
  if (error instanceof Error && 'syscall' in error) return `The service cannot start: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
