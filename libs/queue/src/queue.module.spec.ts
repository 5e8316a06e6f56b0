import {
  BullModule,
  getQueueToken,
  InjectFlowProducer,
  InjectQueue,
  OnQueueEvent,
  OnWorkerEvent,
  Processor,
  QueueEventsHost,
  QueueEventsListener,
  WorkerHost,
} from '@nestjs/bullmq';
import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { eventually } from '@roost/testing';
import { FlowProducer, Queue, type Job } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobQueue } from './jobs/job-queue.js';
import { JobHandedBackError } from './queue.errors.js';
import { openBed, type Bed } from './queue.testbed.js';
import { Queues } from './queues.js';
import { InjectJobs } from './queue.tokens.js';
import { eachStore, type StoreUnderTest } from './stores/store.testbed.js';
import { JobHandler, JobSchedule, JobWorker } from './workers/job-handler.decorator.js';
import { checkEndings, OddEndings } from './workers/endings.testbed.js';
import { CurrentJob, JobData, JobSignal } from './workers/job-params.js';

/** What happened, in order; each test begins with an empty one. */
const events: string[] = [];
const until = (done: () => boolean | Promise<boolean>, within = 5_000) => eventually(done, { within, every: 5 });
const count = (event: string) => events.filter((each) => each === event).length;

@JobWorker('emails')
class Emails {
  constructor(@InjectJobs('emails') private readonly emails: JobQueue) {}

  @JobHandler('send')
  send(@JobData('to') to: string) {
    events.push(`sent to ${to}`);
    return { to };
  }

  @JobHandler('fail')
  fail(@CurrentJob() job: Job) {
    events.push(`attempt ${job.attemptsMade} at ${Date.now()}`);
    if (job.attemptsMade < 2) throw new Error('not yet');
    return 'at last';
  }

  /** Ignores its signal. */
  @JobHandler('hang')
  async hang(@CurrentJob() job: Job) {
    events.push(`hangs ${job.attemptsMade}`);
    if (count('hangs 0') > 1) return 'another process did it';
    await sleep(1_500, undefined, { ref: false });
    return 'late';
  }

  /** Ends as soon as it is told. */
  @JobHandler('obey')
  async obey(@JobSignal() signal: AbortSignal) {
    events.push('obeys');
    if (count('obeys') > 1) return 'again';
    await sleep(5_000, undefined, { signal }).catch(() => {
      events.push(`told: ${(signal.reason as Error).constructor.name}`);
      throw signal.reason;
    });
    return 'never';
  }

  @JobHandler('enqueue')
  async enqueue() {
    events.push('enqueues');
    await sleep(50);
    await this.emails.add('send', { to: 'child' });
  }
}

@JobWorker('emails')
class Ticks {
  @JobHandler('tick')
  @JobSchedule({ every: 100 })
  tick() {
    events.push('tick');
  }
}

@Processor('letters')
class Letters extends WorkerHost {
  constructor(@InjectQueue('letters') private readonly letters: Queue) {
    super();
  }

  async process(job: Job): Promise<unknown> {
    events.push(`letter ${job.name}`);
    if (job.name === 'quick') return { at: 'once' };
    if (job.name === 'hang') await sleep(5_000, undefined, { ref: false });
    return { queue: this.letters.name };
  }

  @OnWorkerEvent('completed')
  completed(): void {
    events.push('listener');
    throw new Error('a listener that throws');
  }
}

@QueueEventsListener('letters')
class Heard extends QueueEventsHost {
  @OnQueueEvent('completed')
  completed({ jobId }: { jobId: string }) {
    events.push(`heard of ${jobId}`);
  }
}

@Injectable()
class Flows {
  constructor(@InjectFlowProducer('flows') readonly producer: FlowProducer) {}
}

/** Takes its time to start and to stop, as a module with a database does. */
@Injectable()
class Slow implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  async onModuleInit() {
    await sleep(50);
  }
  async onApplicationBootstrap() {
    await sleep(50);
    events.push('bootstrap done');
  }
  beforeApplicationShutdown() {
    events.push('before shutdown');
  }
  onApplicationShutdown() {
    events.push('database closed');
  }
}

eachStore('jobs in an application', (store: StoreUnderTest) => {
  const beds: Bed[] = [];
  const open = async (
    providers: readonly unknown[] = [Emails],
    queues = { emails: { lockDuration: '2s' } } as object,
  ) => {
    const bed = await openBed({ ...store.options(), providers: providers as never, queues: queues as never });
    beds.push(bed);
    return bed;
  };
  const ended = (jobs: JobQueue, id: string) =>
    eventually(
      async () => {
        const status = await jobs.status(id);
        expect(status.state).toMatch(/completed|failed/);
        return status;
      },
      { within: 5_000, every: 10 },
    );

  beforeEach(async () => {
    events.splice(0);
    await store.empty();
  });
  afterEach(async () => {
    await Promise.all(beds.splice(0).map(({ app }) => app.close()));
  });

  it('run, and tell of their results', async () => {
    const jobs = (await open()).jobs();
    const { id, existed } = await jobs.add('send', { to: 'a@b' });
    expect([existed, await ended(jobs, id)]).toEqual([
      false,
      expect.objectContaining({ state: 'completed', result: { to: 'a@b' } }),
    ]);
    expect(await jobs.result(id)).toEqual({ to: 'a@b' });
    expect(await jobs.status('never-added')).toEqual({ state: 'unknown' });
  });

  it('case 10: are tried again, each time after a longer pause', async () => {
    const jobs = (await open()).jobs();
    const { id } = await jobs.add('fail', {}, { attempts: 3, backoff: { type: 'exponential', delay: 100 } });
    expect(await ended(jobs, id)).toMatchObject({ state: 'completed', result: 'at last' });
    const attempts = events.map((each) =>
      each
        .match(/attempt (\d) at (\d+)/)!
        .slice(1)
        .map(Number),
    );
    expect(attempts.map(([made]) => made)).toEqual([0, 1, 2]);
    const [first, second, third] = attempts.map(([, at]) => at!);
    expect(second! - first!).toBeGreaterThanOrEqual(95);
    expect(third! - second!).toBeGreaterThanOrEqual(195);
    expect(third! - first!).toBeLessThan(1_000);
  });

  it('case 17: are added once under one id, and the second caller is told', async () => {
    const jobs = (await open()).jobs();
    expect(await jobs.add('send', { to: 'first' }, { id: 'only-one' })).toEqual({ id: 'only-one', existed: false });
    await ended(jobs, 'only-one');
    expect(await jobs.add('send', { to: 'second' }, { id: 'only-one' })).toEqual({ id: 'only-one', existed: true });
    expect(await jobs.result('only-one')).toEqual({ to: 'first' });
    expect(events).toEqual(['sent to first']);
    expect([await jobs.remove('only-one'), await jobs.remove('only-one')]).toEqual([true, false]);
  });

  it('run once, also those that leave no trace and are added again late', async () => {
    const bed = await open();
    const jobs = bed.jobs();
    const { queue } = bed.app.get(Queues).get('emails')!;
    const { name, data, options } = await jobs.drafts.draft('send', { to: 'once' }, { keepResult: 0 });
    for (const waits of [1, 2]) {
      await queue.add(name, data, options);
      await until(() => events.length > 0);
      await jobs.add('send', { to: `after ${waits}` });
      await until(() => events.includes(`sent to after ${waits}`));
    }
    expect(events).toEqual(['sent to once', 'sent to after 1', 'sent to after 2']);
    expect(await jobs.add('send', { to: 'again' }, { keepResult: 0, id: 'mine' })).toEqual({
      id: 'mine',
      existed: false,
    });
    await until(async () => (await jobs.status('mine')).state === 'unknown');
    expect(await jobs.add('send', { to: 'again' }, { keepResult: 0, id: 'mine' })).toEqual({
      id: 'mine',
      existed: false,
    });
  });

  it('case 31: fail at their timeout, and what they return later is dropped', async () => {
    const jobs = (await open()).jobs();
    const { id } = await jobs.add('hang', {}, { timeout: 200, attempts: 1 });
    const status = await ended(jobs, id);
    expect([status.state, status.failedReason]).toEqual(['failed', 'timeout: the job did not end within 200 ms']);
  });

  it('case 32: are not started when it is too late, and not tried again', async () => {
    const jobs = (await open()).jobs();
    const { id } = await jobs.add('send', { to: 'nobody' }, { expiresAt: new Date(Date.now() - 1_000) });
    const { state, failedReason, attemptsMade } = await ended(jobs, id);
    expect([state, attemptsMade, events]).toEqual(['failed', 1, []]);
    expect(failedReason).toMatch(/^expired/);
    expect(await jobs.deadLetters.list()).toEqual([
      expect.objectContaining({ id, failedReason, data: { to: 'nobody' } }),
    ]);
  });

  it('end once, with a reason, whatever a handler throws or returns', async () => {
    const bed = await open([OddEndings]);
    await checkEndings(bed.jobs(), bed.app.get(OddEndings));
  });

  it('start anew when they are redriven from the dead letters', async () => {
    const jobs = (await open()).jobs();
    const { id } = await jobs.add('fail', {}, { attempts: 1 });
    await ended(jobs, id);
    expect(await jobs.deadLetters.count()).toBe(1);
    const twice = await Promise.all([jobs.deadLetters.redrive(id), jobs.deadLetters.redrive(id)]);
    expect(new Set(twice)).toEqual(new Set([true, false]));
    await until(() => events.length === 2);
    expect(await jobs.deadLetters.redrive('another')).toBe(false);
    expect(events.map((each) => each.slice(0, 9))).toEqual(['attempt 0', 'attempt 0']);
  });

  it('case 33: that hang are handed back at shutdown, and started by another process at once', async () => {
    const [first, second] = [await open(), await open([])];
    const { id } = await first.jobs().add('hang');
    await until(() => count('hangs 0') === 1);
    const from = performance.now();
    await first.app.close();
    const tookMs = performance.now() - from;
    expect(tookMs).toBeGreaterThan(280); // the drain timeout
    expect(tookMs).toBeLessThan(1_000);
    expect(await second.jobs().status(id)).toMatchObject({ state: 'waiting', attemptsMade: 0 });
    const third = await open();
    expect(await ended(third.jobs(), id)).toMatchObject({ result: 'another process did it', attemptsMade: 1 });
  });

  it('case 33: are told that the process shuts down, and lose no attempt by it', async () => {
    const [first, second] = [await open(), await open([])];
    const { id } = await first.jobs().add('obey');
    await until(() => count('obeys') === 1);
    await first.app.close();
    expect(events).toEqual(['obeys', `told: ${JobHandedBackError.name}`]);
    expect(await second.jobs().status(id)).toMatchObject({ state: 'waiting', attemptsMade: 0 });
  });

  it('case 35 and 36: may add jobs while the process shuts down, with everything that they need still open', async () => {
    const [first, second] = [await open([Emails, Slow]), await open([])];
    const { id } = await first.jobs().add('enqueue');
    await until(() => count('enqueues') === 1);
    events.splice(0);
    await first.app.close();
    expect(events).toEqual(['before shutdown', 'database closed']);
    expect(await second.jobs().status(id)).toMatchObject({ state: 'completed' });
    const queue = second.app.get<Queue>(getQueueToken('emails'));
    expect((await queue.getJobs(['waiting', 'completed'])).map(({ data }) => data as object)).toContainEqual({
      to: 'child',
    });
  });

  it('case 37: wait until the whole application is up', async () => {
    const producer = await open([]);
    await producer.jobs().add('send', { to: 'early' });
    await open([Emails, Slow]);
    await until(() => count('sent to early') === 1);
    expect(events).toEqual(['bootstrap done', 'sent to early']);
  });

  it('case 42: of a schedule run once at each time, however many processes there are', async () => {
    await Promise.all([open([Ticks]), open([Ticks])]);
    const from = Date.now();
    await until(() => count('tick') >= 8);
    const most = Math.floor((Date.now() - from) / 100) + 3;
    expect(count('tick')).toBeLessThanOrEqual(most);
  });

  it('of a schedule end with the last program that declares it', async () => {
    const first = await open([Ticks]);
    await until(async () => (await first.jobs().schedules()).length === 1);
    expect(await first.jobs().schedules()).toEqual([
      expect.objectContaining({ id: 'roost.tick', name: 'tick', everyMs: 100 }),
    ]);
    await first.app.close();
    const second = await open([Emails]);
    await until(async () => (await second.jobs().schedules()).length === 0);
  });

  it('case 48: go on when a listener throws, which is logged; `WorkerHost` works as ever', async () => {
    const bed = await open([Letters], { letters: {} });
    const queue = bed.app.get<Queue>(getQueueToken('letters'));
    await queue.add('first', {});
    await queue.add('second', {});
    await until(() => count('listener') === 2);
    expect(events).toEqual(expect.arrayContaining(['letter first', 'letter second']));
    expect(bed.log.filter((line) => line.includes('a listener that throws'))).toHaveLength(2);
  });

  it('of a `WorkerHost` may have a timeout, and nothing is left of it when they end at once', async () => {
    const bed = await open([Letters], { letters: {} });
    const { id } = await bed.jobs('letters').add('quick', {}, { timeout: 50, attempts: 1 });
    expect(await ended(bed.jobs('letters'), id)).toMatchObject({ state: 'completed', result: { at: 'once' } });
  });

  it('are heard of by `@QueueEventsListener`, and may wait for others in flows', async () => {
    const bed = await openBed({
      ...store.options(),
      providers: [Letters, Heard, Flows],
      queues: { letters: {} },
      imports: [BullModule.registerFlowProducer({ name: 'flows' })],
    });
    beds.push(bed);
    const { producer } = bed.app.get(Flows);
    const child = { name: 'child', queueName: 'letters', opts: { jobId: 'the-child' } };
    await producer.add({ name: 'parent', queueName: 'letters', opts: { jobId: 'the-parent' }, children: [child] });
    await until(() => events.includes('heard of the-parent'));
    expect(events.filter((each) => each.startsWith('letter'))).toEqual(['letter child', 'letter parent']);
    expect(events).toContain('heard of the-child');
  });

  it('case 33: of a `WorkerHost` are handed back as well', async () => {
    const [first, second] = [await open([Letters], { letters: {} }), await open([], { letters: {} })];
    const { id } = await first.jobs('letters').add('hang');
    await until(() => count('letter hang') === 1);
    await first.app.close();
    expect(await second.jobs('letters').status(id)).toMatchObject({ state: 'waiting', attemptsMade: 0 });
  });
});
