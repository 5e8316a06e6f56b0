import { type Entry, toLine } from '../history.js';
import { type Ask, byKey, type Hold } from './holds.js';
import { ns, toMs, type Violation } from './violation.js';
import type { Weather } from './weather.js';

/** How long what is promised may take in the run at hand, in ms. */
export interface Bounds {
  readonly ttlMs: number;
  readonly quarantineMs: number;
  readonly waiterTtlMs: number;
  /** By how much a busy machine may be late. */
  readonly slackMs: number;
}

/**
 * Locks whose time ran out while their holder was told nothing, though its event loop ran: whatever the servers and
 * networks did is no excuse.
 */
export function lateAborts(holds: readonly Hold[], history: readonly Entry[], bounds: Bounds): Violation[] {
  const stalls = history.filter(({ f }) => f === 'stall');
  const lastOf = new Map(history.map((entry) => [entry.p, entry.t]));
  return holds.flatMap(({ grant, end, abort, to }) => {
    if (end?.why !== 'deadline') return [];
    const told = abort?.t ?? lastOf.get(grant.p)!;
    const stood = stalls.some(({ p, t, ms = 0 }) => p === grant.p && t > to && t - ns(ms) < told);
    if (told - to <= ns(bounds.slackMs / 2) || stood) return [];
    const how = abort ? `${Math.round(toMs(told - to))} ms late` : 'not at all';
    const lines = [grant, end, abort].flatMap((entry) => (entry ? [toLine(entry)] : []));
    return [{ check: 'abort', message: `${grant.key}: the signal aborted ${how}`, lines }];
  });
}

/** Locks that were over and held again. */
export function zombies(holds: readonly Hold[]): Violation[] {
  return holds.flatMap(({ grant, end, zombie }) =>
    zombie && end
      ? [{ check: 'zombie', message: `${grant.key} came back to life`, lines: [grant, end, zombie].map(toLine) }]
      : [],
  );
}

/** Those who came later and were served first, though the earlier one waited, alive and undisturbed. */
export function outOfOrder(asks: readonly Ask[], weather: Weather, bounds: Bounds): Violation[] {
  return [...byKey(asks).values()].flatMap((ofKey) => {
    const granted = ofKey.filter(({ answer }) => answer?.f === 'grant');
    return granted.flatMap((later) => {
      const served = later.answer!.t;
      const earlier = ofKey.find(
        (ask) =>
          ask.from + ns(bounds.slackMs) < later.from &&
          ask.answer !== undefined &&
          // Who was served at about the same time may only have heard of it a little later.
          ask.answer.t > served + ns(bounds.slackMs) &&
          weather.calm(ask.worker, ask.from, served) &&
          weather.calm(later.worker, later.from, served),
      );
      if (!earlier) return [];
      const message = `${later.key}: ${later.worker} was served before ${earlier.worker}`;
      return [{ check: 'fifo', message, lines: [earlier.ask, later.ask, later.answer!].map(toLine) }];
    });
  });
}

/** Those who waited, undisturbed, for a lock that nobody held. */
export function idleWaits(asks: readonly Ask[], holds: readonly Hold[], weather: Weather, bounds: Bounds): Violation[] {
  const holdsOfKey = byKey(holds);
  // In the store a lock lives a little longer than its holder believes, and one who died at the head of the queue is
  // missed only after a while.
  const lease = ns(bounds.ttlMs * 0.1 + 100);
  const patience = ns(bounds.waiterTtlMs + bounds.waiterTtlMs / 3 + bounds.slackMs);
  return asks.flatMap(({ ask, key, worker, from, answer }) => {
    if (!answer || !weather.calm(worker, from, answer.t)) return [];
    let free = from;
    for (const hold of holdsOfKey.get(key) ?? []) {
      if (hold.from >= answer.t) break;
      if (hold.from - free > patience) break;
      if (hold.to + lease > free) free = hold.to + lease;
    }
    if (answer.t - free <= patience) return [];
    const message = `${key} was free for ${Math.round(toMs(answer.t - free))} ms while ${worker} waited`;
    return [{ check: 'idle', message, lines: [ask, answer].map(toLine) }];
  });
}

/**
 * Keys that somebody wanted, and nobody was granted within the time that recovery may take; fires of a schedule are all of
 * one key, and always wanted. Of a key that nobody happens to ask for in the last seconds nothing can be said.
 */
export function stillDead(
  keys: readonly string[],
  history: readonly Entry[],
  lastHeal: bigint,
  bounds: Bounds,
): Violation[] {
  const within = bounds.ttlMs + bounds.quarantineMs + bounds.waiterTtlMs + 2_000;
  const alive = new Set(
    history
      .filter(({ f, t }) => (f === 'grant' || f === 'fire') && t > lastHeal && t < lastHeal + ns(within))
      .map(({ f, key }) => (f === 'fire' ? f : key)),
  );
  const wanted = wantedAfter(history, lastHeal, lastHeal + ns(within));
  return keys
    .filter((key) => !alive.has(key) && (key === 'fire' || wanted.has(key)))
    .map((key) => ({ check: 'liveness', message: `${key}: not within ${within} ms after the last heal`, lines: [] }));
}

/** Keys that were asked for before the end of the time, and not answered before its beginning. */
function wantedAfter(history: readonly Entry[], from: bigint, to: bigint): ReadonlySet<string | undefined> {
  const answered = new Set(
    history.filter(({ f, t }) => (f === 'grant' || f === 'fail') && t <= from).map(({ p, n }) => `${p} ${n}`),
  );
  const asks = history.filter(({ f, t, p, n }) => f === 'ask' && t < to && (t > from || !answered.has(`${p} ${n}`)));
  return new Set(asks.map(({ key }) => key));
}
