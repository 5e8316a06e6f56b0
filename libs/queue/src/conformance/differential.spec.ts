import { PostgresServer, RedisServer } from '@roost/testing';
import { openPool, type QueuePool } from '../database/queue-database.js';
import { EmbeddedQueueStore } from '../stores/embedded.store.js';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { PostgresQueueStore } from '../stores/postgres.store.js';
import type { QueueStore } from '../stores/queue.store.js';
import { behaviours } from './behaviours.js';
import { openBaseline, openBench } from './bench.js';
import { Outcomes } from './outcomes.js';

/** What BullMQ 6.7 does otherwise on Postgres. A difference that is gone is to be taken off the list: the test says so. */
const OTHERWISE_ON_POSTGRES: Readonly<Record<string, string>> = {
  'ranges of jobs that are counted from the end': 'a negative start is taken for the beginning',
  'what cannot be done says why': 'a lock that was lost has another message',
  'data, progress and logs of a job change':
    'addJobLog tells how many lines there ever were, and not how many are kept',
  'a worker that is told to slow down gives its job back': 'the job then runs behind the others',
  'case 25: whatever is thrown or returned': 'a text that is thrown leaves no reason: handlers of Roost mend it',
  'case 29: a job whose worker is lost runs again, but not for ever': 'a lock that was lost has another message',
  'failed jobs run again, one by one or all': 'retryJobs begins their attempts anew',
  'the life of a job that fails': 'no event tells of its removal',
  'jobs that are delayed, promoted, prioritised and cleaned away': 'no event tells of a delay that changes',
  'a failed child that is retried is waited for again': 'its parent goes on without it',
  'events are trimmed': 'Postgres trims them by itself',
};

/** Jobs that are due in one moment run in the order in which they were added there: it depends on how fast the machine is. */
const DEPENDS = 'delayed jobs run when they are due, in the order of that';

/** BullMQ on Redis, as it comes, is what every backend has to be like. */
describe('every backend does what BullMQ does on Redis', () => {
  const pools: QueuePool[] = [];
  const stores: QueueStore[] = [];
  const shown: Outcomes[] = [];
  const servers: { stop(): Promise<void> }[] = [];
  let baseline: Outcomes;
  let memory: Outcomes;
  let postgres: Outcomes;
  let embedded: Outcomes;

  const show = (store: QueueStore): Outcomes => {
    const outcomes = new Outcomes(openBench(store), behaviours);
    stores.push(store);
    shown.push(outcomes);
    return outcomes;
  };
  const pool = async (...args: Parameters<typeof openPool>): Promise<QueuePool> => {
    const opened = await openPool(...args);
    pools.push(opened);
    return opened;
  };

  beforeAll(async () => {
    const { PGlite } = await import('@electric-sql/pglite');
    const [redis, server, database] = await Promise.all([RedisServer.start(), PostgresServer.start(), PGlite.create()]);
    servers.push(redis, server, { stop: () => database.close() });
    const onServer = new PostgresQueueStore({ pool: await pool({ url: server.url }) });
    const inProcess = new EmbeddedQueueStore({ pool: await pool({ pglite: database }) });
    await Promise.all([onServer.open(), inProcess.open()]);
    baseline = new Outcomes(openBaseline(redis.url), behaviours);
    memory = show(new MemoryQueueStore());
    await Promise.all([baseline.all(), memory.all()]);
    postgres = show(onServer);
    await postgres.all();
    embedded = show(inProcess);
    await embedded.all();
  }, 120_000);
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await Promise.all(pools.map((each) => each.end()));
    await Promise.all(servers.map((server) => server.stop()));
  });

  const names = Object.keys(behaviours);
  const otherwise = (name: string) => Object.hasOwn(OTHERWISE_ON_POSTGRES, name);

  it.each(names)('in memory: %s', async (name) => {
    expect(await memory.of(name)).toEqual(await baseline.of(name));
  });

  it.each(names.filter((name) => !otherwise(name) && name !== DEPENDS))('on Postgres: %s', async (name) => {
    expect(await postgres.of(name)).toEqual(await baseline.of(name));
  });

  it.each(names.filter((name) => !otherwise(name) && name !== DEPENDS))('embedded: %s', async (name) => {
    expect(await embedded.of(name)).toEqual(await baseline.of(name));
  });

  it.each(Object.entries(OTHERWISE_ON_POSTGRES))('but on Postgres, %s: %s', async (name) => {
    const expected = await baseline.of(name);
    expect(await postgres.of(name)).not.toEqual(expected);
    expect(await embedded.of(name)).not.toEqual(expected);
  });
});
