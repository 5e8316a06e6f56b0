import { setTimeout as sleep } from 'node:timers/promises';
import type { Section } from './sections.js';
import type { Means, Workload } from './workload.js';

/**
 * W3 and W9: adds to a list outside every transaction, under a lock: reads it, checks that the lock is held, works for a
 * moment, and writes it. A process that is stopped in that moment writes what it no longer may; only a store that is
 * shown the token can tell.
 */
export const external: Workload = async (means) => {
  const { locks, sections, random } = means;
  const key = 'external';
  // Unrenewed, or else a pause would have to be as long as a time to live that has just begun.
  const acquire = () => locks.acquire(key, { ttl: 1_000, wait: 3_000, renew: random.chance(0.5) });
  await sections.run({ key, weight: 1, limit: 1, acquire }, async (section) => {
    await Promise.all(['unchecked', 'checked'].map((store) => add(means, section, store)));
  });
};

async function add({ sections, random, storeUrl, p }: Means, section: Section, store: string): Promise<void> {
  const { n, lock } = section;
  const [id, tok] = [`${p}-${n}`, lock.token];
  const url = `${storeUrl}/${store}?token=${tok}`;
  const read = await fetch(url);
  if (!read.ok) return refused(await read.json());
  const list = (await read.json()) as string[];
  if (!section.held) return;
  await sleep(random.between(5, 60));
  sections.history.write({ f: 'try', n, store, id, tok });
  const written = await fetch(url, { method: 'PUT', body: JSON.stringify([...list, id]) });
  const answer: unknown = await written.json();
  if (!written.ok) return refused(answer);
  sections.history.write({ f: 'wrote', n, store, id, tok });

  function refused(body: unknown): void {
    const newest = BigInt((body as { newest: string }).newest);
    sections.history.write({ f: 'refused', n, store, id, tok, newest });
  }
}
