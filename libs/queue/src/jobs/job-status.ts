import type { JobState as BullState } from 'bullmq';

/** Where a job is. `waiting` is also a job in the outbox; `unknown` was never added, or is not kept any more. */
export type JobState = 'waiting' | 'delayed' | 'active' | 'completed' | 'failed' | 'unknown';

/** How a job is doing. */
export interface JobStatus<Result = unknown> {
  readonly state: JobState;
  /** What the handler returned, once it is `completed`. */
  readonly result?: Result;
  /** Why the last attempt failed. */
  readonly failedReason?: string;
  readonly attemptsMade?: number;
  /** What the handler last told of its progress. */
  readonly progress?: unknown;
}

/** BullMQ's states in words that do not depend on how a store keeps what waits. */
export function stateOf(state: BullState | 'unknown'): JobState {
  if (state === 'prioritized' || state === 'waiting-children') return 'waiting';
  return state as JobState;
}
