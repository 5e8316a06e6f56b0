import type { StreamReadRaw } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 100;

/** What BullMQ takes for a time that has passed without an event. */
export const NO_EVENTS = null as unknown as StreamReadRaw;

/** The same after a pause: who reads on from a store that has closed would let nobody else do anything. */
export function noEventsForNow(): Promise<StreamReadRaw> {
  return sleep(PAUSE_MS, NO_EVENTS, { ref: false });
}
