import type { FaultName } from './plan.js';

/** A device that was surely in a room: from when it was told so until its end was begun. By the clock of this process, in ms. */
export interface Hold {
  readonly userId: string;
  readonly room: string;
  /** The process that it was connected to, since its last start. */
  readonly life: string;
  readonly from: number;
  until: number;
  /** It left the room, and did not only lose its connection. */
  onPurpose: boolean;
}

/** A fault of a server or an instance, from its begin until all is as before. */
export interface Fault {
  readonly name: FaultName;
  /** The process that it was done to; none for Redis. */
  readonly life: string | undefined;
  readonly from: number;
  until: number;
}

/** Who was where, as those know who were there, and what was done to servers and instances. */
export class Timeline {
  readonly holds: Hold[] = [];
  readonly faults: Fault[] = [];
  /** When a process that came for another one was there. */
  readonly begins = new Map<string, number>();

  open(userId: string, room: string, life: string): Hold {
    const hold = { userId, room, life, from: performance.now(), until: Infinity, onPurpose: false };
    this.holds.push(hold);
    return hold;
  }

  /** All that were connected to a process are not any more. */
  end(life: string): void {
    for (const hold of this.holds) if (hold.life === life) close(hold);
  }

  /** Notes a fault that begins now, and runs it. */
  async suffer(name: FaultName, life: string | undefined, run: () => Promise<void>): Promise<void> {
    const fault: Fault = { name, life, from: performance.now(), until: Infinity };
    this.faults.push(fault);
    await run();
    fault.until = performance.now();
  }

  /** Who is in a room now. */
  users(room: string): string[] {
    const held = this.holds.filter((hold) => hold.room === room && hold.until === Infinity);
    return [...new Set(held.map(({ userId }) => userId))].sort();
  }
}

export function close(hold: Hold, onPurpose = false): void {
  if (hold.until !== Infinity) return;
  hold.until = performance.now();
  hold.onPurpose = onPurpose;
}
