import type { PostgresServer, RedisServer } from '@roost/testing';
import { Client } from 'pg';
import type { ContestantProcess } from './contestant-process.js';
import { CHECKED } from './contestants/queue.js';
import { cpuUsOfFamily } from './process-cpu.js';
import { readServer } from './server-meter.js';
import type { JobScenario } from './suites/suite.js';

/** One queue under one load, once. CPU is per job, of all its processes and of both servers. */
export interface JobSlice {
  readonly perSecond: number;
  /** Of a call that adds; where jobs are handled, from just before the call to the start. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
}

/** What queues work in. */
export interface JobServers {
  readonly server: RedisServer;
  readonly postgres: PostgresServer;
}

/** How many jobs are measured for each second that a slice takes. */
const JOBS_PER_SECOND = 2_000;
const LEAST_JOBS = 40;
/** How many more nobody looks at, before them. */
const WARM_UP = 0.2;
/** How many callers add one job each. */
const CALLERS = 64;
/** How many of them add many at a time. */
const CALLERS_OF_MANY = 4;
/** How many jobs one call adds where that is not measured. */
const FILL = 500;
const RATE = 200;

/** Opens the queue, empty, in its processes, warms it up, measures, and closes it. @throws when a job is lost or comes twice. */
export async function measureJobs(
  processes: readonly ContestantProcess[],
  scenario: JobScenario,
  { seconds, ...servers }: JobServers & { readonly seconds: number },
): Promise<JobSlice> {
  const count = Math.max(LEAST_JOBS, Math.round((scenario.measures === 'rate' ? RATE : JOBS_PER_SECOND) * seconds));
  const warmUp = Math.ceil(count * WARM_UP);
  const { measures } = scenario;
  const measured = measures === 'adding' ? adding : measures === 'handling' ? handling : throughout;
  return withQueue(processes, servers, (open) => measured({ open, processes, scenario, servers, count, warmUp }));
}

interface Load {
  readonly open: Open;
  readonly processes: readonly ContestantProcess[];
  readonly scenario: JobScenario;
  readonly servers: JobServers;
  readonly count: number;
  readonly warmUp: number;
}

async function adding({ open, processes: [adder], scenario, servers, count, warmUp }: Load): Promise<JobSlice> {
  await open(adder!, 0);
  const how = howToAdd(scenario);
  await adder!.produce({ ...how, from: 0, count: warmUp });
  const used = await meter([adder!], servers);
  const produced = await adder!.produce({ ...how, from: warmUp, count });
  const { startedAtUs, endedAtUs, p50Ms, p99Ms } = produced;
  return { perSecond: (count * 1e6) / (endedAtUs - startedAtUs), p50Ms, p99Ms, ...(await used(count)) };
}

/** A worker that finds all its jobs there. */
async function handling({
  open,
  processes: [adder, worker],
  scenario,
  servers,
  count,
  warmUp,
}: Load): Promise<JobSlice> {
  await open(adder!, 0);
  await adder!.produce({ from: 0, count: warmUp + count, callers: 1, batch: FILL });
  await open(worker!, scenario.concurrency);
  const before = CHECKED + warmUp;
  const begun = await worker!.handled(0, before);
  const used = await meter([worker!], servers);
  const { firstAtUs, lastAtUs, count: all } = await worker!.handled(before, before + count);
  const perSecond = ((count - 1) * 1e6) / (lastAtUs - firstAtUs);
  return { perSecond, p50Ms: NaN, p99Ms: NaN, ...(await used(all - begun.count)) };
}

/** Jobs that are added while others are handled. */
async function throughout({ open, processes, scenario, servers, count, warmUp }: Load): Promise<JobSlice> {
  const taking = processes.slice(0, scenario.processes);
  const [adder, worker = adder] = taking;
  if (worker !== adder) await open(adder!, 0);
  await open(worker!, scenario.concurrency);
  const how = howToAdd(scenario);
  const before = (worker === adder ? 0 : CHECKED) + warmUp;
  await adder!.produce({ ...how, from: 0, count: warmUp });
  await worker!.handled(0, before);
  const used = await meter(taking, servers);
  const [{ startedAtUs }, { lastAtUs, p50Ms, p99Ms }] = await Promise.all([
    adder!.produce({ ...how, from: warmUp, count }),
    worker!.handled(before, before + count),
  ]);
  return { perSecond: (count * 1e6) / (lastAtUs - startedAtUs), p50Ms, p99Ms, ...(await used(count)) };
}

function howToAdd({ measures, batch }: JobScenario) {
  if (measures === 'rate') return { callers: 1, perSecond: RATE };
  return batch === undefined ? { callers: CALLERS } : { callers: CALLERS_OF_MANY, batch };
}

type Open = (each: ContestantProcess, concurrency: number, holdMs?: number) => Promise<void>;

/** Empties both servers and lets `use` open the queue, process by process; all are closed after it. @throws what is wrong with it. */
export async function withQueue<Result>(
  processes: readonly ContestantProcess[],
  { server, postgres }: JobServers,
  use: (open: Open) => Promise<Result>,
): Promise<Result> {
  await Promise.all([server.command('FLUSHALL'), emptied(postgres.url)]);
  const opened: ContestantProcess[] = [];
  try {
    return await use(async (each, concurrency, holdMs = 0) => {
      opened.push(each);
      const task = { redisUrl: server.url, postgresUrl: postgres.url, work: `jobs ${concurrency} ${holdMs}` };
      const { problem } = await each.open(task);
      if (problem !== undefined) throw new Error(problem);
    });
  } finally {
    await Promise.all(opened.map((each) => each.close()));
  }
}

async function emptied(connectionString: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    await client.query(
      'SET client_min_messages = error; DROP SCHEMA IF EXISTS bullmq, pgboss, graphile_worker CASCADE',
    );
  } finally {
    await client.end();
  }
}

/** Reads what was used so far; what it returns tells what was used since then, per job. */
async function meter(processes: readonly ContestantProcess[], servers: JobServers) {
  const read = async () => {
    const [redis, ...clients] = await Promise.all([
      readServer(servers.server),
      ...processes.map((each) => each.status()),
    ]);
    const serverUs = redis.cpuUs + cpuUsOfFamily(servers.postgres.pid);
    return { serverUs, clientUs: clients.reduce((total, { cpuUs }) => total + cpuUs, 0) };
  };
  const before = await read();
  return async (count: number) => {
    const after = await read();
    return {
      clientCpuUs: (after.clientUs - before.clientUs) / count,
      serverCpuUs: (after.serverUs - before.serverUs) / count,
    };
  };
}
