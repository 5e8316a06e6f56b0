import type { FlowJob, JobNode, JobsOptions, Queue } from 'bullmq';
import { look, type Bench } from './bench.js';

export function child(bench: Bench, name: string, opts: JobsOptions = {}): FlowJob {
  return { name, queueName: bench.nameOf('children'), data: {}, opts: { ...opts, jobId: name } as never };
}

export function add(bench: Bench, children: FlowJob[], jobId = 'p'): Promise<JobNode> {
  return bench.flows().add({ name: 'parent', queueName: bench.nameOf('parents'), opts: { jobId }, children });
}

export async function outcome(parents: Queue, job: JobNode['job']): Promise<unknown> {
  return [await look(parents, job.id), await dependenciesOf(job), await job.getDependenciesCount()];
}

export async function dependenciesOf(job: JobNode['job']): Promise<unknown> {
  const { unprocessed, ...rest } = await job.getDependencies();
  return { ...rest, unprocessed: unprocessed?.toSorted() };
}

export function shape({ job, children = [] }: JobNode): unknown {
  return {
    id: job.id,
    children: children.map(shape).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
  };
}

export function sorted(items: { id: string }[]): unknown {
  return items.toSorted((a, b) => a.id.localeCompare(b.id));
}
