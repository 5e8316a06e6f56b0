import { setTimeout as sleep } from 'node:timers/promises';
import { jobOf, type HandledJobs, type JobSink } from './jobs.js';

/** Urgent jobs in a process that has a backlog of others: first one now and then, then always some that wait. */
export interface Mixture {
  /** The number of the first; others have smaller ones. */
  readonly from: number;
  readonly highs: number;
  readonly everyMs: number;
  /** How many wait or run at any time of the second part. */
  readonly pressure: number;
  readonly seconds: number;
}

export interface MixtureSeen {
  /** From just before an urgent job was added, in the first part, to its start. */
  readonly startMs: readonly number[];
  /** How many were handled in the second part. */
  readonly highs: number;
  readonly lows: number;
}

const STARTS_WITHIN_MS = 10_000;

/** @throws when an urgent job does not start. */
export async function mix(jobs: JobSink, handled: HandledJobs, load: Mixture): Promise<MixtureSeen> {
  const startMs: number[] = [];
  handled.onEnd = ({ urgency, addedAtUs }, startedAtUs) => {
    if (urgency === 'high') startMs.push((startedAtUs - addedAtUs) / 1_000);
  };
  let n = load.from;
  for (let at = 0; at < load.highs; at++) {
    await jobs.add(jobOf(n++, 'high'));
    await sleep(load.everyMs);
  }
  const givesUpAt = performance.now() + STARTS_WITHIN_MS;
  while (startMs.length < load.highs) {
    if (performance.now() > givesUpAt) throw new Error(`only ${startMs.length} of ${load.highs} urgent jobs started`);
    await sleep(1);
  }

  let [highs, lows, running] = [0, 0, true];
  handled.onEnd = async ({ urgency }) => {
    if (!running) return;
    if (urgency === 'low') lows++;
    if (urgency !== 'high') return;
    highs++;
    await jobs.add(jobOf(n++, 'high'));
  };
  await jobs.addAll(Array.from({ length: load.pressure }, () => jobOf(n++, 'high')));
  await sleep(load.seconds * 1_000);
  running = false;
  return { startMs, highs, lows };
}
