import type { DependenciesOpts, DependencyOpts, IQueueBackend, JobJson } from 'bullmq';
import { jsonOf, type MemoryJob } from './memory-job.js';
import type { NeighbourQueues } from './memory-queue.js';
import { slice } from './sorted-ids.js';

export type Dependencies = Awaited<ReturnType<IQueueBackend['getDependencies']>>;
export type Page = Awaited<ReturnType<IQueueBackend['paginate']>>;

// Small collections come whole, as from Redis.
const WHOLE = 128;

/** The children of a job: all of them, or pages of the kinds that are asked for. */
export function dependenciesOf(job: MemoryJob | undefined, wanted: DependenciesOpts): Dependencies {
  const processed = [...(job?.processed ?? [])];
  const ignored = [...(job?.ignored ?? [])];
  const unprocessed = [...(job?.pending ?? [])];
  const failed = job ? [...job.unsuccessful] : [];
  if (!wanted.processed && !wanted.unprocessed && !wanted.ignored && !wanted.failed) {
    return { processed: parsed(processed), unprocessed, failed, ignored: Object.fromEntries(ignored) };
  }
  const found: Dependencies = {};
  if (wanted.processed) {
    const { items, next } = pageOf(processed, wanted.processed);
    Object.assign(found, { processed: parsed(items), nextProcessedCursor: next });
  }
  if (wanted.ignored) {
    const { items, next } = pageOf(ignored, wanted.ignored);
    Object.assign(found, { ignored: Object.fromEntries(items), nextIgnoredCursor: next });
  }
  if (wanted.failed) {
    const { cursor = 0, count = 20 } = wanted.failed;
    Object.assign(found, { failed: slice(failed, cursor, count - 1), nextFailedCursor: cursor + count });
  }
  if (wanted.unprocessed) {
    const { items, next } = pageOf(unprocessed, wanted.unprocessed);
    Object.assign(found, { unprocessed: items, nextUnprocessedCursor: next });
  }
  return found;
}

export function countDependencies(job: MemoryJob | undefined, types: readonly string[]): number[] {
  return types.map((type) => {
    if (type === 'processed') return job?.processed.size ?? 0;
    if (type === 'unprocessed') return job?.pending.size ?? 0;
    return (type === 'ignored' ? job?.ignored.size : job?.unsuccessful.size) ?? 0;
  });
}

/** A page of what a key such as `bull:emails:7:dependencies` stands for. */
export function paginate(
  queues: NeighbourQueues,
  key: string,
  { start, end, fetchJobs = false }: { start: number; end: number; fetchJobs?: boolean },
): Page {
  const suffix = key.lastIndexOf(':');
  const job = queues.job(key.slice(0, suffix))?.job;
  const entries = childrenUnder(job, key.slice(suffix + 1));
  const items = slice(entries, start, end);
  const children = items.map(([id]) => queues.job(id)?.job).filter((child) => child !== undefined);
  const jobs: JobJson[] = fetchJobs ? children.map(jsonOf) : [];
  return { cursor: '0', items: items.map(([id, value]) => itemOf(id, value)), total: entries.length, jobs };
}

function childrenUnder(job: MemoryJob | undefined, kind: string): [string, string?][] {
  if (!job) return [];
  if (kind === 'processed') return [...job.processed];
  if (kind === 'failed') return [...job.ignored];
  if (kind === 'dependencies') return [...job.pending].map((key) => [key]);
  throw new Error('Pagination is only supported for sets and hashes.');
}

function itemOf(id: string, value: string | undefined) {
  if (value === undefined) return { id };
  try {
    return { id, v: JSON.parse(value) as unknown };
  } catch (error) {
    return { id, err: (error as Error).message };
  }
}

function pageOf<T>(all: readonly T[], { cursor = 0, count = 20 }: DependencyOpts): { items: T[]; next: number } {
  if (all.length <= WHOLE) return { items: all.slice(cursor), next: 0 };
  const end = cursor + count;
  return { items: all.slice(cursor, end), next: end < all.length ? end : 0 };
}

function parsed(entries: readonly [string, string][]): Record<string, unknown> {
  return Object.fromEntries(entries.map(([key, value]) => [key, JSON.parse(value) as unknown]));
}
