import { createHmac } from 'node:crypto';

const BYTES = 12;

/**
 * Says whom a limit counted without saying who it is: who does not know the secret can neither compute nor guess it, though
 * there are only so many addresses. In base64, as header fields hold bytes.
 */
export function partitionKey(secret: string, subject: string): string {
  return createHmac('sha256', secret).update(subject).digest().subarray(0, BYTES).toString('base64');
}
