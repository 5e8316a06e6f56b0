import { show } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import { isText } from '../options.check.js';
import type { ResolvedQueue } from '../queue.config.js';
import { InvalidJobError } from '../queue.errors.js';
import { storedOptions, type StoredJobOptions } from './job.check.js';
import { jsonOf } from './job-data.js';
import type { JobDraft } from './job-draft.js';
import type { JobOptions } from './job.options.js';
import { check } from './standard-schema.js';

/** What every job of a schedule is made from. */
export interface JobTemplate {
  readonly data: unknown;
  readonly options: StoredJobOptions;
}

/** The outbox tries again as soon as the store is there. */
const ADDED_AGAIN_WITHIN_MS = 60_000;

/** Checks what callers give, and makes drafts of it, with the defaults of one queue. */
export class JobDrafts {
  /** Those of most jobs, made once. */
  readonly #defaults: StoredJobOptions;

  constructor(
    private readonly settings: ResolvedQueue,
    private readonly now: () => number,
  ) {
    this.#defaults = storedOptions(settings.defaults, 0);
  }

  /** @throws UnknownJobOptionError, InvalidJobError, NonSerializableError, JobTooLargeError. */
  async draft(name: string, data: unknown, options: JobOptions): Promise<JobDraft> {
    const { data: sent, options: stored } = await this.template(name, data, options);
    const id = options.id ?? randomUUID();
    const nonce = options.id === undefined ? undefined : randomUUID();
    return {
      queue: this.settings.name,
      id,
      name,
      data: sent,
      options: {
        ...stored,
        jobId: id,
        ...(nonce !== undefined && { roost: { ...stored.roost, nonce } }),
        ...(leavesNoTrace(stored) && { deduplication: { id: nonce ?? id, ttl: ADDED_AGAIN_WITHIN_MS } }),
      } as StoredJobOptions,
    };
  }

  /** The same without what is one job's own. */
  async template(name: string, data: unknown, options: JobOptions): Promise<JobTemplate> {
    const { jobs, maxDataBytes } = this.settings;
    if (!isText(name)) throw new InvalidJobError([`Expected a name, got ${show(name)}`]);
    const schema = jobs?.[name];
    if (jobs !== undefined && (schema === undefined || !Object.hasOwn(jobs, name))) {
      throw new InvalidJobError([`There is no job ${show(name)}; there are ${Object.keys(jobs).join(', ')}`]);
    }
    const stored = isEmpty(options) ? this.#defaults : storedOptions(options, this.now(), this.settings.defaults);
    if (data === null) throw new InvalidJobError(['Expected data, got null: leave them out']); // {} to Postgres
    const sent = jsonOf(data, maxDataBytes); // what the handler will be given, and what it is checked by then
    if (schema !== undefined && schema !== true) {
      const checked = await check(schema, sent);
      if ('problems' in checked) throw new InvalidJobError(checked.problems);
    }
    return { data: sent, options: stored };
  }
}

/**
 * Whether nothing tells that the job has run. A store that answers late has taken it all the same, and may be given it again
 * by the outbox when it is done.
 */
function leavesNoTrace({ removeOnComplete, deduplication }: StoredJobOptions): boolean {
  return removeOnComplete === true && deduplication === undefined;
}

function isEmpty(options: JobOptions | null): boolean {
  return options !== null && Object.keys(options).length === 0;
}
