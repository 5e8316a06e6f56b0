import { setTimeout as sleep } from 'node:timers/promises';

/** Users that one process has online. */
export interface OnlineUsers {
  /** Puts them online, for as long as they give signs of life. */
  come(userIds: readonly string[]): Promise<void>;
  /** A sign of life. */
  beat(userId: string): Promise<unknown>;
  /** How many of them are online. */
  count(userIds: readonly string[]): Promise<number>;
}

/** Users of one process, each of whom gives a sign of life now and then. */
export interface Heartbeats {
  /** The number of the first. */
  readonly from: number;
  readonly users: number;
  readonly everyMs: number;
  readonly seconds: number;
}

export interface HeartbeatsSeen {
  readonly beats: number;
  readonly cpuUs: number;
}

/** As evenly as timers allow. */
const TICK_MS = 1;
/** So many come at once. */
const AT_ONCE = 500;

/** Lets them come. */
export async function arrive(online: OnlineUsers, { from, users }: Heartbeats): Promise<void> {
  const all = namesOf(from, users);
  for (let at = 0; at < users; at += AT_ONCE) await online.come(all.slice(at, at + AT_ONCE));
}

/** Lets each give its signs of life, evenly spread. */
export async function live(
  online: OnlineUsers,
  { from, users, everyMs, seconds }: Heartbeats,
): Promise<HeartbeatsSeen> {
  const all = namesOf(from, users);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  let [beats, answered] = [0, 0];
  let failure: Error | undefined;
  for (let leftMs = seconds * 1_000; leftMs > 0; leftMs = startedAt + seconds * 1_000 - performance.now()) {
    await sleep(Math.min(TICK_MS, leftMs));
    const due = Math.floor(((performance.now() - startedAt) / everyMs) * users) - beats;
    for (let i = 0; i < due; i++) {
      online.beat(all[beats++ % users]!).then(
        () => answered++,
        (error: Error) => (failure = error),
      );
    }
  }
  while (answered < beats && failure === undefined) await sleep(TICK_MS);
  if (failure !== undefined) throw failure;
  const { user, system } = process.cpuUsage(cpu);
  return { beats, cpuUs: user + system };
}

/** @throws when somebody is not online */
export async function checkOnline(online: OnlineUsers, { from, users }: Heartbeats): Promise<void> {
  const there = await online.count(namesOf(from, users));
  if (there !== users) throw new Error(`${there} of ${users} users are online`);
}

function namesOf(from: number, users: number): string[] {
  return Array.from({ length: users }, (_, i) => `user-${from + i}`);
}
