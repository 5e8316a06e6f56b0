import type { KeepJobs, QueueBaseOptions, WorkerOptions } from 'bullmq';

/** What a backend is told by the Queue, Worker, QueueEvents or FlowProducer that it serves. */
export type MemoryBackendOptions = QueueBaseOptions & Partial<Omit<WorkerOptions, 'connection'>>;

/** Who takes jobs, and how. */
export interface Taker {
  readonly token: string;
  readonly name?: string;
  readonly lockMs: number;
  readonly limiter?: { readonly max: number; readonly duration: number };
}

export function takerOf(options: MemoryBackendOptions, token: string, name = options.name): Taker {
  return { token, name, lockMs: options.lockDuration ?? 30_000, limiter: options.limiter };
}

/** How many ended jobs are kept, and for how long: what the job says counts before what the worker says. */
export function keptJobs(ofJob: boolean | number | KeepJobs | undefined, ofWorker: KeepJobs | undefined): KeptJobs {
  if (ofJob === undefined) return ofWorker ?? {};
  if (typeof ofJob === 'object') return ofJob;
  if (typeof ofJob === 'number') return ofJob < 0 ? {} : { count: ofJob };
  return ofJob ? { count: 0 } : {};
}

export interface KeptJobs {
  readonly count?: number;
  /** In seconds, as BullMQ has it. */
  readonly age?: number;
  /** The most that are removed at once for their age. */
  readonly limit?: number;
}
