import { groupBy } from '../group-by.js';
import type { Fault, Hold, Timeline } from './timeline.js';

/** A user who was told to have come or gone, when that was heard first. */
export interface Told {
  readonly userId: string;
  readonly room: string;
  readonly at: number;
  /** The version of the room that says so. */
  readonly version: number;
  /** The process that told the client that heard it first. */
  readonly by: string;
  /** It had lost Redis, and said so: it knows of its own devices alone. */
  readonly partial: boolean;
}

export interface Violation {
  readonly check: string;
  readonly message: string;
}

/** How long users are waited for. */
export interface Patience {
  /** How long after the last sign of life of the last device a user is gone, and a silent process taken for dead. */
  readonly goneAfterMs: number;
  /** How long before its end a connection may have given its last sign of life. */
  readonly silentMs: number;
}

type Known = Pick<Timeline, 'holds' | 'faults' | 'begins'>;

/** Redis may be gone for so long, so that what was done before is told after it. */
const OUTAGE_MS = 5_000;
const SLACK_MS = 250;

/**
 * Finds users who were told to be gone and were not. What may be told was true shortly before it is heard first: within a time
 * in which a user who is gone has to be away, others take a process for dead, and Redis comes back. In that time, the user
 * has either left the room on purpose with the last device, or no device was surely there for as long as users are waited
 * for; a connection may have been silent for a while before it ended. Whoever was told to have come since then must have gone
 * again. Devices of a process that stood still for longer than a lease count as away until it can have told of them again: others
 * must take it for dead. Those of a process that ended or stood still when Redis was away, or had forgotten not long before,
 * count as away from then on: nobody else can have heard of them. A process that is new does not know what Redis has forgotten:
 * of who leaves through it, it tells what Redis knows.
 */
export function wronglyGone(
  { leaves, joins }: { readonly leaves: readonly Told[]; readonly joins: readonly Told[] },
  timeline: Known,
  patience: Patience,
): Violation[] {
  const { holds, faults } = timeline;
  const since = (moment: number) => untoldSince(moment, timeline, patience.goneAfterMs);
  const stops = faults
    .filter(({ name }) => name === 'freeze-long')
    .map((stop) => ({ ...stop, from: since(stop.from) }));
  const ends = faults.filter(({ name }) => name === 'kill' || name === 'term');
  const byPlace = groupBy(holds, placeOf);
  const comings = groupBy(
    joins.filter(({ partial }) => !partial),
    placeOf,
  );
  const windowMs = 3 * patience.goneAfterMs + OUTAGE_MS;
  const shortestMs = patience.goneAfterMs - patience.silentMs - SLACK_MS;
  const changes = new Set(leaves.filter(({ partial }) => !partial).map(changeOf));
  return leaves.flatMap((leave) => {
    if (leave.partial && changes.has(changeOf(leave))) return []; // heard from others, and judged as what they told
    const all = (byPlace.get(placeOf(leave)) ?? []).filter(({ from }) => from < leave.at);
    const here = leave.partial ? all.filter(({ life }) => life === leave.by) : [];
    const own = here.length > 0 ? here : all;
    if (own.length === 0) return []; // nobody was surely there
    if (own.some((hold) => leftThroughNew(hold, leave, timeline, patience))) return [];
    const present = own.flatMap((hold) => {
      const until = Math.min(hold.until, since(ends.find(({ life }) => life === hold.life)?.from ?? Infinity));
      return withoutPauses({ ...hold, until }, stops, patience.goneAfterMs);
    });
    const firstAt = Math.min(...own.map(({ from }) => from)); // before that there was nobody to be gone
    const gaps = gapsOf(present, Math.max(leave.at - windowMs, firstAt), leave.at);
    const cameAt = leave.partial ? -Infinity : lastBefore(leave, comings.get(placeOf(leave)) ?? []);
    const away = gaps.some(({ from, until }) => {
      if (until < cameAt + SLACK_MS && until < leave.at) return false;
      const left = own.some((hold) => hold.onPurpose && hold.until >= from && hold.until <= until);
      return left || until - from >= shortestMs;
    });
    if (away) return [];
    const longest = Math.max(0, ...gaps.map(({ from, until }) => until - from));
    return [
      {
        check: 'gone',
        message:
          `${leave.userId} was told to be gone from ${leave.room} in ${leave.version} by ${leave.by}, and away for ` +
          `${Math.round(longest)} ms at most. In s before that, devices: ${spansOf(own, leave.at, windowMs)}; ` +
          `faults: ${spansOf(faults, leave.at, windowMs)}; told: ${toldOf({ leaves, joins }, leave)}`,
      },
    ];
  });
}

/** What somebody sees that is not there, or does not see. */
export function compare(who: string, seen: ReadonlySet<string>, there: readonly string[]): Violation[] {
  const missing = there.filter((userId) => !seen.has(userId));
  const extra = [...seen].filter((userId) => !there.includes(userId)).sort();
  if (missing.length + extra.length === 0) return [];
  return [
    {
      check: 'view',
      message: `${who}: lacks ${missing.join(' ') || 'nobody'}, has too many: ${extra.join(' ') || 'nobody'}`,
    },
  ];
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/**
 * What a process knew before it ended or stood still, and could not tell: since the begin of the fault of Redis before that,
 * of several in a row the first. After each it has a lease to tell it again.
 */
function untoldSince(moment: number, { faults }: Known, leaseMs: number): number {
  let since = moment;
  for (const fault of faults.toReversed()) {
    if (fault.life === undefined && fault.from <= since && fault.until + leaseMs >= since) since = fault.from;
  }
  return since;
}

/** Whether a device has just left through a process that began not long after a fault of Redis. */
function leftThroughNew(hold: Hold, leave: Told, { begins, faults }: Known, { goneAfterMs }: Patience): boolean {
  const beganAt = begins.get(hold.life) ?? -Infinity;
  const isNew =
    hold.onPurpose && hold.until < leave.at && hold.until > leave.at - 1_000 && leave.at - beganAt < goneAfterMs;
  return isNew && faults.some(({ life, until }) => life === undefined && until > beganAt - goneAfterMs);
}

/** The times in which a device was connected to a process that did not stand still. */
function withoutPauses({ life, from, until }: Hold, pauses: readonly Fault[], leaseMs: number): Span[] {
  let spans: Span[] = [{ from, until }];
  for (const pause of pauses) {
    if (pause.life !== life) continue;
    const again = pause.until + leaseMs;
    spans = spans.flatMap((span) => [
      { from: span.from, until: Math.min(span.until, pause.from) },
      { from: Math.max(span.from, again), until: span.until },
    ]);
  }
  return spans.filter((span) => span.until > span.from);
}

/** The times between two moments in which nothing of it is. */
function gapsOf(spans: readonly Span[], from: number, until: number): Span[] {
  const gaps: Span[] = [];
  let covered = from;
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    if (span.from >= until) break;
    if (span.from > covered) gaps.push({ from: covered, until: span.from });
    covered = Math.max(covered, span.until);
  }
  if (covered < until) gaps.push({ from: covered, until });
  return gaps;
}

/** What was going on shortly before a moment, in seconds before it. */
function spansOf(all: readonly (Hold | Fault)[], at: number, windowMs: number): string {
  const before = (moment: number) => (moment > at ? '' : ((at - moment) / 1_000).toFixed(2));
  return all
    .filter(({ from, until }) => from < at && until > at - windowMs)
    .map((each) => {
      const name = 'name' in each ? each.name : each.onPurpose ? 'left' : 'held';
      return `${name} ${each.life ?? ''} ${before(each.from)}-${before(each.until)}`;
    })
    .join(', ');
}

/** What was told of the same user and room, in seconds before a leave was. */
function toldOf({ leaves, joins }: { readonly leaves: readonly Told[]; readonly joins: readonly Told[] }, leave: Told) {
  const [came, went] = [joins, leaves].map((all) => all.filter((each) => placeOf(each) === placeOf(leave)));
  const text = (kind: string) => (each: Told) =>
    `${kind} ${each.version} by ${each.by}${each.partial ? ' alone' : ''} ${((leave.at - each.at) / 1_000).toFixed(2)}`;
  return [...came!.map(text('join')), ...went!.map(text('leave'))].slice(-20).join(', ');
}

/** When it was heard that the user had come, before being told to be gone. */
function lastBefore(leave: Told, joins: readonly Told[]): number {
  const before = joins.filter(({ version, at }) => version < leave.version && at < leave.at);
  return Math.max(...before.map(({ at }) => at)); // of none, that of no time
}

/** The change that somebody was told of, among all of them. */
function changeOf(told: Told): string {
  return `${placeOf(told)} ${told.version}`;
}

function placeOf({ userId, room }: { readonly userId: string; readonly room: string }): string {
  return `${room} ${userId}`;
}
