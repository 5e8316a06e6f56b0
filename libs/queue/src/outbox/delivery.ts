import type { ClaimedDraft, Undelivered } from './outbox.table.js';

/** What became of one draft. */
export interface Delivery {
  readonly queue: string;
  readonly id: string;
  /** Absent when the store has the job. */
  readonly error?: Error;
  /** Whether the store would refuse it always: it is not tried again. */
  readonly permanent?: boolean;
}

/** Drafts by what is to be done with them. */
export interface Settlement {
  readonly delivered: readonly ClaimedDraft[];
  readonly undelivered: readonly Undelivered[];
}

/** What is to be done after a delivery; a draft of which nothing was said counts as not delivered. */
export function settlementOf(
  claimed: readonly ClaimedDraft[],
  deliveries: readonly Delivery[],
  serving: boolean,
): Settlement {
  const byJob = new Map(deliveries.map((each) => [jobOf(each), each]));
  const delivered: ClaimedDraft[] = [];
  const undelivered: Undelivered[] = [];
  for (const draft of claimed) {
    const { error, permanent } = byJob.get(jobOf(draft)) ?? { error: new Error('no answer') };
    if (error === undefined) delivered.push(draft);
    else undelivered.push({ draft, error, pauseMs: permanent === true ? undefined : pauseOf(draft, serving) });
  }
  return { delivered, undelivered };
}

/** What is to be done when a delivery failed as a whole. */
export function failureOf(claimed: readonly ClaimedDraft[], error: unknown, serving: boolean): Settlement {
  return { delivered: [], undelivered: claimed.map((draft) => ({ draft, error, pauseMs: pauseOf(draft, serving) })) };
}

/** With jitter, so that what failed together is not tried together. */
export function backOff(failures: number, mostMs: number): number {
  return Math.ceil(Math.min(50 * 2 ** failures, mostMs) * (0.5 + Math.random() / 2));
}

/** A store that is known to be lost is not asked at all, and has the draft at once when it is back. */
function pauseOf({ attempts }: ClaimedDraft, serving: boolean): number {
  return serving ? backOff(attempts, 5_000) : 0;
}

function jobOf({ queue, id }: { readonly queue: string; readonly id: string }): string {
  return `${queue}:${id}`;
}
