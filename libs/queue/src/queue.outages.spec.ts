import type { PGlite } from '@electric-sql/pglite';
import { PostgresServer, RedisServer, eventually } from '@roost/testing';
import type { JobQueue } from './jobs/job-queue.js';
import { Outbox } from './outbox/outbox.js';
import { QueueClosedError, QueueDriverMissingError, QueueSetupError, QueueUnavailableError } from './queue.errors.js';
import { openBed, type Bed, type BedOptions } from './queue.testbed.js';
import { JobHandler, JobSchedule, JobWorker } from './workers/job-handler.decorator.js';
import { JobData } from './workers/job-params.js';

const sent: string[] = [];

@JobWorker('emails')
class Emails {
  @JobHandler('send')
  send(@JobData('to') to: string) {
    sent.push(to);
  }
}

@JobWorker('emails')
class Ticks {
  @JobHandler('tick')
  @JobSchedule({ every: 100 })
  tick() {
    sent.push('tick');
  }
}

const until = (done: () => boolean | Promise<boolean>, within = 8_000) => eventually(done, { within, every: 10 });
const took = async (run: () => Promise<unknown>) => {
  const from = performance.now();
  const outcome = await run().catch((error: unknown) => error);
  return { outcome, ms: performance.now() - from };
};

describe('jobs while Redis is away', () => {
  let server: RedisServer;
  const beds: Bed[] = [];
  const open = async (options: BedOptions = {}): Promise<Bed> => {
    const bed = await openBed({ url: server.url, providers: [Emails], ...options });
    beds.push(bed);
    return bed;
  };

  beforeEach(async () => {
    sent.splice(0);
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(beds.splice(0).map(({ app }) => app.close()));
    await server.stop();
  });

  it('case 1: are refused in time when there is no database', async () => {
    const jobs = (await open()).jobs();
    await server.kill();
    const { outcome, ms } = await took(() => jobs.add('send', { to: 'a' }));
    expect(outcome).toBeInstanceOf(QueueUnavailableError);
    expect(ms).toBeLessThan(1_100);
    await until(
      async () => ((await took(() => jobs.add('send', {}))).outcome as QueueUnavailableError).outcomeUnknown === false,
    );
    expect((await took(() => jobs.add('send', {}))).ms).toBeLessThan(50); // known to be lost: nobody waits
  });

  it('case 1: are refused in time by a Redis that hangs', async () => {
    const jobs = (await open()).jobs();
    server.freeze();
    const { outcome, ms } = await took(() => jobs.add('send', { to: 'a' }));
    server.thaw();
    expect(outcome).toBeInstanceOf(QueueUnavailableError);
    expect(ms).toBeLessThan(1_100);
  });

  it('case 2: are taken right after the boot', async () => {
    const { app, jobs } = await open();
    await jobs().add('send', { to: 'first' });
    await until(() => sent.includes('first'));
    await app.close();
    expect((await took(() => jobs().add('send', {}))).outcome).toBeInstanceOf(QueueClosedError);
  });

  it('case 3 and 34: are handled once it is there, and a Redis that never comes does not keep the process from ending', async () => {
    await server.kill();
    const first = await open();
    const never = await open();
    expect((await took(() => never.app.close())).ms).toBeLessThan(1_000);
    await server.restart();
    await until(() =>
      first
        .jobs()
        .add('send', { to: 'late' })
        .then(
          () => true,
          () => false,
        ),
    );
    await until(() => sent.length > 0);
    expect(sent).toEqual(['late']);
  });

  it('case 40: of schedules go on after it came back empty', async () => {
    await open({ providers: [Ticks] });
    await until(() => sent.length >= 2);
    await server.kill();
    await server.restart();
    await server.command('FLUSHALL');
    sent.splice(0);
    await until(() => sent.length >= 10);
  }, 15_000);

  it('case 44: are not kept in one that evicts, in production', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory', '100mb');
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(open({ module: { production: true } })).rejects.toThrow(QueueSetupError);
    const { log } = await open();
    expect(log.filter((line) => line.includes('maxmemory-policy'))).toEqual([expect.stringMatching(/^warn/)]);
  });
});

describe('jobs with an outbox', () => {
  let server: RedisServer;
  let database: PGlite;
  let bed: Bed;
  let jobs: JobQueue;

  beforeAll(async () => {
    const { PGlite } = await import('@electric-sql/pglite');
    [server, database] = await Promise.all([
      RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] }),
      PGlite.create(),
    ]);
    await database.exec('CREATE TABLE bookings (id text)');
  }, 30_000);
  beforeEach(async () => {
    sent.splice(0);
    bed = await openBed({ url: server.url, providers: [Emails], module: { database: { pglite: database } } });
    jobs = bed.jobs();
  });
  afterEach(() => bed.app.close());
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const waiting = async () => (await database.query('SELECT id FROM roost_queue.outbox')).rows.length;

  it('wait there while Redis is lost, and run once when it is back', async () => {
    await server.kill();
    const added = await Promise.all(['a', 'b', 'c'].map((to) => took(() => jobs.add('send', { to }))));
    for (const { outcome, ms } of added) {
      expect(outcome).toEqual({ id: expect.any(String), existed: false });
      expect(ms).toBeLessThan(1_100);
    }
    const { id } = added[0]!.outcome as { id: string };
    expect(await waiting()).toBe(3);
    expect(await jobs.status(id)).toEqual({ state: 'waiting' });
    expect((await jobs.add('send', { to: 'd' }, { id: 'with-an-id' })).existed).toBeUndefined();
    await server.restart();
    await until(() => sent.length === 4);
    expect(sent.toSorted()).toEqual(['a', 'b', 'c', 'd']);
    await until(async () => (await waiting()) === 0);
    await until(async () => (await jobs.status(id)).state === 'completed');
  }, 15_000);

  it('are left to the application whose queue it is, where several share the database', async () => {
    const elsewhere = await RedisServer.start();
    const module = { database: { pglite: database } };
    const other = await openBed({ url: elsewhere.url, module, queues: { other: {} } });
    await database.transaction(async (tx) => {
      for (const to of 'abcdefgh') await bed.app.get(Outbox).add(tx, 'emails', 'send', { to });
    });
    await until(() => sent.length === 8);
    expect(await elsewhere.keys('*emails*')).toEqual([]);
    await other.app.close();
    await elsewhere.stop();
  });

  it('case 9: start when the transaction commits, and not before; nothing is left of one that is rolled back', async () => {
    const outbox = bed.app.get(Outbox);
    const rolledBack = database.transaction(async (tx) => {
      await tx.query("INSERT INTO bookings VALUES ('1')");
      await outbox.add(tx, 'emails', 'send', { to: 'nobody' });
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    await database.transaction(async (tx) => {
      await tx.query("INSERT INTO bookings VALUES ('2')");
      await outbox.add(tx, 'emails', 'send', { to: 'somebody' });
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(sent).toEqual([]);
    });
    await until(() => sent.length > 0);
    expect([sent, await waiting()]).toEqual([['somebody'], 0]);
  });
});

describe('where jobs are kept', () => {
  it('is refused to be nowhere in production, and is told elsewhere', async () => {
    await expect(openBed({ module: { production: true } })).rejects.toThrow(QueueDriverMissingError);
    const bed = await openBed({});
    expect(bed.log).toContainEqual('log: Jobs are kept in memory');
    await bed.app.close();
  });

  it('may differ by queue in one process', async () => {
    const [redis, postgres] = await Promise.all([RedisServer.start(), PostgresServer.start()]);
    const bed = await openBed({
      url: redis.url,
      module: { database: { url: postgres.url } },
      queues: { emails: {}, reports: { backend: 'postgres' } },
      providers: [Emails],
    });
    await bed.jobs('emails').add('send', { to: 'redis' });
    const { id } = await bed.jobs('reports').add('monthly');
    await until(() => sent.includes('redis'));
    expect(await bed.jobs('reports').status(id)).toMatchObject({ state: 'waiting' });
    expect((await redis.keys('*reports*')).length).toBe(0);
    await bed.app.close();
    await Promise.all([redis.stop(), postgres.stop()]);
  }, 30_000);
});
