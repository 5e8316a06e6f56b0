import type { RedisServer } from '@roost/testing';
import type { ContestantProcess } from './contestant-process.js';
import { loadCount, loadFor } from './http-load.js';
import { countSent, difference, readServer } from './server-meter.js';
import type { Comparison, Scenario } from './suites/suite.js';

/** One contestant under one load, once. All but the rate and the latencies is per operation. */
export interface Slice {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly clientCpuUs: number;
  /** Of Redis, or of the database that a contestant brings. */
  readonly serverCpuUs: number;
  readonly scripts: number;
  readonly commands: number;
  /** What clients sent, a script being one; NaN where it is not asked for. */
  readonly sent: number;
  readonly reads: number;
}

/** What contestants may talk to. */
export interface Servers {
  readonly server: RedisServer;
  readonly postgresUrl: string | undefined;
}

interface Driven {
  readonly operations: number;
  readonly seconds: number;
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly problem: string | undefined;
}

const WARM_UP_SECONDS = 0.2;
/** One after the other, operations take a second until there were enough of them to be compiled. */
const WARM_UP_ALONE_SECONDS = 1;
/** Twenty requests of each attacker: twice what may pass. */
const WARM_UP_REQUESTS = 400;

/**
 * Opens the contestant on an empty Redis, warms it up, measures, and closes it.
 * @throws when it answers wrongly: a broken contestant is not a fast one.
 */
export async function measure(
  contestant: ContestantProcess,
  load: Scenario,
  { local: locals = [], unlimited = [] }: Comparison,
  { server, postgresUrl, seconds }: Servers & { readonly seconds: number },
): Promise<Slice> {
  const { name } = contestant;
  const local = locals.includes(name);
  const scenario = unlimited.includes(name) ? { ...load, admits: undefined } : load;
  await server.command('FLUSHALL');
  const { port, problem } = await contestant.open({ redisUrl: server.url, postgresUrl, work: scenario.work });
  try {
    if (problem !== undefined) throw new Error(problem);
    const drive = port === undefined ? inProcess : overHttp;
    await drive.warmUp(contestant, scenario, { seconds, port: port ?? 0 });
    const sent = scenario.countsSent ? await sentPerOperation(contestant, scenario, { server, seconds }) : NaN;
    const before = await readServer(server);
    const { serverCpuUs: cpuBefore } = await contestant.status();
    const driven = await drive.run(contestant, scenario, { seconds, port: port ?? 0 });
    const { serverCpuUs: cpuAfter } = await contestant.status();
    const work = difference(before, await readServer(server));
    if (driven.problem !== undefined) throw new Error(driven.problem);

    const { operations } = driven;
    // At most all that is under way at once can be asked in one call. wrk does not count what is under way when it stops:
    // the server may have seen a few more, never fewer.
    const asked = local || scenario.knowing?.includes(name) ? Infinity : work.scripts + work.commands;
    if (asked < operations / scenario.concurrency) throw new Error('answered without asking Redis');
    return {
      perSecond: operations / driven.seconds,
      p50Ms: driven.p50Ms,
      p99Ms: driven.p99Ms,
      clientCpuUs: driven.cpuUs / operations,
      serverCpuUs: (local ? (cpuAfter ?? NaN) - (cpuBefore ?? NaN) : work.cpuUs) / operations,
      scripts: work.scripts / operations,
      commands: work.commands / operations,
      sent,
      reads: local ? NaN : work.reads / operations,
    };
  } finally {
    await contestant.close();
  }
}

/** In a load of its own, which is not timed. */
async function sentPerOperation(
  contestant: ContestantProcess,
  { concurrency }: Scenario,
  { server, seconds }: { readonly server: RedisServer; readonly seconds: number },
): Promise<number> {
  let operations = 0;
  const sent = await countSent(server, async () => {
    ({ operations } = await contestant.loop(concurrency, Math.min(WARM_UP_SECONDS, seconds)));
  });
  return sent / operations;
}

interface Drive {
  readonly seconds: number;
  readonly port: number;
}

const inProcess = {
  async warmUp(contestant: ContestantProcess, { concurrency }: Scenario, { seconds }: Drive): Promise<void> {
    await contestant.loop(concurrency, Math.min(concurrency === 1 ? WARM_UP_ALONE_SECONDS : WARM_UP_SECONDS, seconds));
  },
  async run(contestant: ContestantProcess, { concurrency }: Scenario, { seconds }: Drive): Promise<Driven> {
    const result = await contestant.loop(concurrency, seconds);
    const wrong = result.wrong > 0 ? `${result.wrong} of ${result.operations} answers were wrong` : undefined;
    return { ...result, problem: result.failure ?? wrong };
  },
};

const overHttp = {
  async warmUp(_: ContestantProcess, { concurrency, clients = 1, admits }: Scenario, { port }: Drive): Promise<void> {
    const { requests, refused, failed } = await loadCount(WARM_UP_REQUESTS, {
      port,
      connections: concurrency,
      clients,
    });
    const expected = admits === undefined ? 0 : requests - admits;
    if (failed > 0) throw new Error(`${failed} of ${requests} requests failed`);
    if (refused !== expected) throw new Error(`${refused} of ${requests} requests were refused, expected ${expected}`);
  },
  async run(contestant: ContestantProcess, scenario: Scenario, { seconds, port }: Drive): Promise<Driven> {
    const { concurrency, clients = 1, admits } = scenario;
    const before = await contestant.status();
    const result = await loadFor(seconds, { port, connections: concurrency, clients });
    const after = await contestant.status();
    const { requests, refused, failed } = result;
    const expected = admits === undefined ? 0 : requests;
    const problems = [
      failed > 0 && `${failed} of ${requests} requests failed`,
      refused !== expected && `${refused} of ${requests} requests were refused, expected ${expected}`,
      admits !== undefined && after.admitted !== admits && `let ${after.admitted} of an attack in, expected ${admits}`,
    ].filter((each) => each !== false);
    return { ...result, operations: requests, cpuUs: after.cpuUs - before.cpuUs, problem: problems[0] };
  },
};
