import type { Mail } from '@roost/testing';
import { groupBy } from '../group-by.js';
import type { Told } from './clients.js';
import type { Incident } from './faults.js';
import type { Job, Truth } from './truth.js';

type Arrived = Omit<Mail, 'text'>;

/** Something that must not be. */
export interface Violation {
  /**
   * `lost`: a booking without an e-mail · `phantom`: an e-mail without a booking · `forgotten`: a booking that somebody was
   * promised is not there · `doubled`: two jobs for one booking · `unexplained`: a second e-mail, and nothing was broken ·
   * `unfinished`: a job that is not done when all is quiet · `odd`: anything else
   */
  readonly check: 'lost' | 'phantom' | 'forgotten' | 'doubled' | 'unexplained' | 'unfinished' | 'odd';
  readonly message: string;
}

/** What is judged. */
export interface Evidence {
  readonly truth: Truth;
  readonly mails: readonly Arrived[];
  readonly told: readonly Told[];
  readonly incidents: readonly Incident[];
  /** The server that keeps the jobs. */
  readonly store: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** E-mails beyond the first, by what was broken between the one before and its being noted as done. */
  readonly duplicates: Readonly<Record<string, number>>;
}

/** How long a job takes from its e-mail to its being noted as done, on a machine that is busy. */
const NOTING_MS = 1_000;
/** How long an e-mail that was sent takes to be noted by its receiver. */
const ARRIVAL_MS = 100;
/** How long processes take to find a server again that is back. */
const RETURN_MS = 2_000;

/** Compares what was promised and written with what was sent. */
export function judge({ truth, mails, told, incidents, store }: Evidence): Verdict {
  const violations: Violation[] = [];
  const duplicates: Record<string, number> = {};
  const add = (check: Violation['check'], message: string) => void violations.push({ check, message });
  const booked = new Set(truth.bookings.map(({ id }) => id));
  const jobs = groupBy(truth.jobs, ({ bookingId }) => bookingId);
  const sent = groupBy(mails, ({ id }) => /^booking-([\da-f-]+)@/.exec(id)?.[1] ?? '');
  sent.delete(''); // the digest

  for (const id of booked) if (!sent.has(id)) add('lost', `no e-mail for booking ${id}; ${tellJobs(jobs.get(id))}`);
  for (const id of sent.keys()) if (!booked.has(id)) add('phantom', `an e-mail for ${id}, which is not booked`);
  for (const { outcome, id } of told) {
    if (outcome === 'booked' && !booked.has(id!)) add('forgotten', `booking ${id} was promised and is not there`);
  }
  for (const id of truth.waiting) add('unfinished', `job ${id} is still in the outbox`);
  for (const job of truth.jobs)
    if (!job.completed) add('unfinished', `${tellJobs([job])}, of booking ${job.bookingId}`);
  for (const [id, own] of jobs) if (own.length > 1) add('doubled', `booking ${id} has ${tellJobs(own)}`);

  for (const [id, [first, ...more]] of sent) {
    const own = jobs.get(id) ?? [];
    const starts = own.reduce((sum, job) => sum + job.starts, 0);
    if (more.length + 1 > starts) add('odd', `${more.length + 1} e-mails for ${id}, but ${tellJobs(own)}`);
    let before = first!;
    for (const mail of more) {
      const why =
        explanation(before, incidents, store) ?? (own.some(({ stalls }) => stalls > 0) ? 'stalled' : undefined);
      if (why === undefined) add('unexplained', `${tellMail(mail)} after ${tellMail(before)}; ${tellJobs(own)}`);
      else duplicates[why] = (duplicates[why] ?? 0) + 1;
      before = mail;
    }
  }
  return { violations, duplicates };
}

/** What kept the sender of an e-mail from noting that its job is done. */
function explanation({ from, at }: Arrived, incidents: readonly Incident[], store: string): string | undefined {
  const sender = from.split('@')[0];
  const meanwhile = ({ from: begun, until }: Incident, backMs: number) =>
    begun <= at + NOTING_MS && until + backMs >= at;
  const names = incidents
    .filter(
      (each) =>
        (each.target === sender && meanwhile(each, ARRIVAL_MS)) ||
        (each.target === store && meanwhile(each, RETURN_MS)),
    )
    .map(({ name }) => name);
  return names.length === 0 ? undefined : [...new Set(names)].toSorted().join(' and ');
}

function tellMail({ id, from, at }: Arrived): string {
  return `${id} by ${from.split('@')[0]} at ${at}`;
}

function tellJobs(jobs: readonly Job[] = []): string {
  if (jobs.length === 0) return 'no job';
  return jobs
    .map(({ id, completed, starts, attempts, stalls, failure }) => {
      const state = completed ? 'completed' : (failure ?? 'not done');
      return `job ${id} (${state}, started ${starts}, ended ${attempts}, stalled ${stalls})`;
    })
    .join(' and ');
}
