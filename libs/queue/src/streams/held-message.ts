import type { Delivery } from './stream-message.js';

/** A message that this process has, from its reading to its acknowledgement. */
export interface HeldMessage {
  readonly id: string;
  /** Its fields in turn. */
  readonly raw: readonly string[];
  /** How often it was handed to a handler, in whatever process. */
  deliveries: number;
  /** Whether Redis has counted the next delivery already, as it does when it gives a message for the first time. */
  counted: boolean;
  stage: 'waiting' | 'running' | 'delayed' | 'finished';
  /** Another process has taken it over. */
  taken: boolean;
  /** Redis has lost it: nobody else has it, and there is nobody to tell. */
  lost: boolean;
  delivery: Delivery | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** One that has just come. */
export function heldMessage(id: string, raw: readonly string[], deliveries: number, counted: boolean): HeldMessage {
  const fresh = { taken: false, lost: false, delivery: undefined, timer: undefined };
  return { id, raw, deliveries, counted, stage: 'waiting', ...fresh };
}
