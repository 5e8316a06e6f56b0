import { show } from '@roost/redis';

/** A failure of somebody else's code as a log tells it: with the place where it happened. */
export function described(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : show(error);
}
