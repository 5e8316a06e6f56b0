import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { internalsOf } from './client-internals.js';
import { classifyError, safeMessage, type ErrorClass } from './error-class.js';
import { defineKey } from './key.js';

/** What one look at Redis found: nothing when it is well, else why not. */
export interface ProbeResult {
  readonly read: ErrorClass | undefined;
  readonly write: ErrorClass | undefined;
  /** The server's own words, without anything that was sent to it. */
  readonly message?: string;
}

export const probeKey = defineKey('probe:{instance}', { ttl: '5s', maxBytes: 36 });

/**
 * Looks at Redis from outside: writes and reads a value on a connection of its own, opened anew each time, so that DNS,
 * TLS, login and a failover are part of the look. A PING would say that all is well on a server that is full, or a replica.
 */
export async function probe(client: Redis, key: string, deadlineMs: number): Promise<ProbeResult> {
  let lastError: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  client.on('error', (error) => (lastError = error));
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The probe timed out after ${deadlineMs} ms`)), deadlineMs);
  });
  const nonce = randomUUID();
  try {
    await Promise.race([client.connect(), deadline]);
    const [written, found] = await Promise.race([
      Promise.allSettled([client.set(key, nonce, 'PX', probeKey.ttlMs), client.get(key)]),
      deadline,
    ]);
    const wrong = written.status === 'fulfilled' && found.status === 'fulfilled' && found.value !== nonce;
    const failed = [written, found].find((each) => each.status === 'rejected');
    return {
      write: written.status === 'rejected' ? availability(written.reason) : wrong ? 'not_ready' : undefined,
      read: found.status === 'rejected' ? availability(found.reason) : undefined,
      ...(failed ? { message: safeMessage(failed.reason as Error) } : {}),
    };
  } catch (error) {
    const cause = lastError && (error as Error).message === 'Connection is closed.' ? lastError : (error as Error);
    const errorClass = availability(cause);
    return { read: errorClass, write: errorClass, message: safeMessage(cause) };
  } finally {
    clearTimeout(timer);
    const socket = internalsOf(client).stream;
    client.disconnect();
    socket?.destroy();
  }
}

/** A probe that fails in an unknown way still means that Redis cannot be used. */
function availability(error: unknown): ErrorClass {
  const errorClass = classifyError(error);
  return errorClass === 'bug' ? 'not_ready' : errorClass;
}
