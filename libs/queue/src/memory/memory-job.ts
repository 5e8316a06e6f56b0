import type { JobJson, JobsOptions, ParentKeys } from 'bullmq';
import { SortedIds } from './sorted-ids.js';

/** A job as it is kept: whatever came from outside is JSON, so that producers and handlers share no object. */
export interface MemoryJob {
  readonly id: string;
  /** By which jobs of other queues know it. */
  readonly key: string;
  readonly name: string;
  data: string;
  readonly opts: string;
  readonly timestamp: number;
  delay: number;
  priority: number;
  progress: string;
  attemptsStarted: number;
  attemptsMade: number;
  stalledCounter: number;
  processedOn?: number;
  processedBy?: string;
  finishedOn?: number;
  returnvalue?: string;
  failedReason?: string;
  stacktrace?: string;
  deferredFailure?: string;
  readonly repeatJobKey?: string;
  readonly deduplicationId?: string;
  parentKey?: string;
  parent?: ParentKeys;
  lock?: { readonly token: string; readonly until: number };
  logs: string[];
  /** Keys of children that have not ended. */
  readonly pending: Set<string>;
  /** Results of children by key. */
  readonly processed: Map<string, string>;
  /** Why children failed whose failure does no harm, by key. */
  readonly ignored: Map<string, string>;
  /** Keys of children whose failure is that of this job. */
  readonly unsuccessful: SortedIds;
  /** A child belongs to another parent: this one is not to be released by the flow that tried. */
  attachmentFailed?: boolean;
}

/** What a job is made of. */
export interface MemoryJobDraft {
  readonly name: string;
  readonly data: string;
  readonly opts: JobsOptions;
  readonly timestamp: number;
  readonly parentKey?: string;
  readonly parent?: ParentKeys;
  readonly repeatJobKey?: string;
}

export function createJob(id: string, key: string, draft: MemoryJobDraft): MemoryJob {
  const { name, data, opts, timestamp, parentKey, parent, repeatJobKey } = draft;
  return {
    id,
    key,
    name,
    data,
    opts: toJson(opts),
    timestamp,
    delay: opts.delay ?? 0,
    priority: opts.priority ?? 0,
    progress: '0',
    attemptsStarted: 0,
    attemptsMade: 0,
    stalledCounter: 0,
    repeatJobKey,
    deduplicationId: opts.deduplication?.id,
    parentKey,
    parent: parentKey && parent ? { ...parent } : undefined,
    logs: [],
    pending: new Set(),
    processed: new Map(),
    ignored: new Map(),
    unsuccessful: new SortedIds(),
  };
}

/** A copy for BullMQ's classes. */
export function jsonOf(job: MemoryJob): JobJson {
  return {
    id: job.id,
    name: job.name,
    data: job.data,
    opts: JSON.parse(job.opts) as JobsOptions,
    progress: JSON.parse(job.progress) as JobJson['progress'],
    delay: job.delay,
    priority: job.priority,
    timestamp: job.timestamp,
    attemptsStarted: job.attemptsStarted,
    attemptsMade: job.attemptsMade,
    stalledCounter: job.stalledCounter,
    processedOn: job.processedOn,
    processedBy: job.processedBy,
    finishedOn: job.finishedOn,
    failedReason: job.failedReason as string,
    stacktrace: job.stacktrace,
    returnvalue: job.returnvalue as string,
    deferredFailure: job.deferredFailure,
    repeatJobKey: job.repeatJobKey,
    deduplicationId: job.deduplicationId,
    debounceId: job.deduplicationId,
    parentKey: job.parentKey,
    parent: job.parent && { ...job.parent },
  };
}

/** Options as JSON without what has no value: on Redis, null and NaN are not kept either. */
export function toJson(options: object): string {
  return JSON.stringify(options, (_, value: unknown) => (value === null || Number.isNaN(value) ? undefined : value));
}

/** What a worker writes together with the end of an attempt. */
export function updateFields(job: MemoryJob, fields: Readonly<Record<string, unknown>> | undefined): void {
  if (typeof fields?.failedReason === 'string') job.failedReason = fields.failedReason;
  if (typeof fields?.stacktrace === 'string') job.stacktrace = fields.stacktrace;
}
