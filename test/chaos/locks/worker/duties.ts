import { type Lock, LockedCron } from '@roost/lock';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryWriter } from '../history.js';
import type { Workload } from './workload.js';

/** W6: all stand for the same office; the leader resigns after a while, and every candidate stands anew sometimes. */
export const leader: Workload = async ({ locks, sections, random }) => {
  const wish = { key: 'leader', weight: 1, limit: 1 };
  const election = locks.elect('leader', { ttl: 1_000, onElected: (term) => sections.adopt(wish, term) });
  for (let i = 0; i < 4; i++) {
    await sleep(random.between(200, 1_500));
    await election.resign();
  }
  await election.stop();
};

/** W8: something to do each second, by one process of all. */
export class Clockwork {
  constructor(private readonly history: HistoryWriter) {}

  @LockedCron('* * * * * *', { name: 'tick', atLeast: 1_000, ttl: 1_000 })
  tick(lock: Lock): void {
    // The key names the fire.
    this.history.write({ f: 'fire', id: lock.key, tok: lock.token });
  }
}

/** The schedule runs by itself. */
export const cron: Workload = async () => sleep(100);
