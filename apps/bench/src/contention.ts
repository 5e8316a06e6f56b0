/** Contenders of one lock, in one process. */
export interface Contention {
  readonly contenders: number;
  /** How long each holds it. */
  readonly holdMs: number;
  /** By the machine's clock: they all begin to ask at once. */
  readonly startAtUs: number;
  /** How long they go on, or who has not had it in a burst is waited for. */
  readonly seconds: number;
  /** Whether everybody wants it once only; else everybody asks again as soon as it was given back. */
  readonly burst: boolean;
}

/** One section under the lock, by the machine's clock. */
export interface Section {
  readonly contender: number;
  readonly askedAtUs: number;
  readonly grantedAtUs: number;
  /** When it was told to give the lock back. */
  readonly releasedAtUs: number;
}

/** What a process saw of it. */
export interface Contended {
  readonly sections: readonly Section[];
  /** Since when those wait who had not got it at the end. */
  readonly waitingSinceUs: readonly number[];
  readonly cpuUs: number;
}

const KEY = 'contended';
/** Timers of Node may be a millisecond early. */
const SPIN_US = 2_000;

/** The machine's monotonic clock: the same in all processes. */
export function machineUs(): number {
  return Number(process.hrtime.bigint()) / 1_000;
}

/** Lets all contenders of this process loose, and waits until the last has had its way. */
export async function contend(
  acquire: (key: string) => Promise<() => Promise<unknown>>,
  { contenders, holdMs, startAtUs, seconds, burst }: Contention,
): Promise<Contended> {
  const endsAtUs = startAtUs + seconds * 1e6;
  const sections: Section[] = [];
  const waiting = new Map<number, number>();

  const contender = async (id: number): Promise<void> => {
    for (;;) {
      const askedAtUs = machineUs();
      waiting.set(id, askedAtUs);
      const release = await acquire(KEY);
      const grantedAtUs = machineUs();
      if (grantedAtUs < endsAtUs) {
        waiting.delete(id);
        await new Promise((resume) => setTimeout(resume, holdMs));
        sections.push({ contender: id, askedAtUs, grantedAtUs, releasedAtUs: machineUs() });
      }
      await release();
      if (burst || machineUs() >= endsAtUs) return;
    }
  };

  await untilUs(startAtUs);
  const cpu = process.cpuUsage();
  const all = Promise.all(Array.from({ length: contenders }, (_, id) => contender(id)));
  if (!burst) await untilUs(endsAtUs);
  else await all;
  const { user, system } = process.cpuUsage(cpu);
  await all;
  return { sections, waitingSinceUs: [...waiting.values()], cpuUs: user + system };
}

/** Resolves at that moment of the machine's clock, to some microseconds. */
export async function untilUs(us: number): Promise<void> {
  const leftMs = (us - machineUs() - SPIN_US) / 1_000;
  if (leftMs > 0) await new Promise((resume) => setTimeout(resume, leftMs));
  while (machineUs() < us);
}
