import { machineUs, untilUs } from './contention.js';
import { itemOf, type Item } from './contestants/cache-items.js';

/** Callers in one process who all want one key that nobody has. */
export interface Burst {
  readonly key: string;
  readonly callers: number;
  /** How long the origin takes. */
  readonly originMs: number;
  /** How long the value is in JSON. */
  readonly bytes: number;
  /** By the machine's clock: they all ask at once. */
  readonly startAtUs: number;
}

/** What a process saw of it. */
export interface BurstSeen {
  readonly originCalls: number;
  /** When the last had its value, by the machine's clock. */
  readonly servedAtUs: number;
  /** How many got what the origin had not given. */
  readonly wrong: number;
}

/** Lets all callers of this process loose, and waits until the last is served. */
export async function burst(
  load: (key: string, origin: () => Promise<Item>) => Promise<Item>,
  { key, callers, originMs, bytes, startAtUs }: Burst,
): Promise<BurstSeen> {
  const item = itemOf(0, bytes);
  let originCalls = 0;
  const origin = async () => {
    originCalls++;
    await new Promise((resume) => setTimeout(resume, originMs));
    return item;
  };
  await untilUs(startAtUs);
  const loaded = await Promise.all(Array.from({ length: callers }, () => load(key, origin)));
  const servedAtUs = machineUs();
  const expected = JSON.stringify(item);
  return { originCalls, servedAtUs, wrong: loaded.filter((each) => JSON.stringify(each) !== expected).length };
}
