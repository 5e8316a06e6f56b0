import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FakeQueueClock } from './memory/queue-clock.js';
import { InvalidJobError, JobLockLostError } from './queue.errors.js';
import { Queues } from './queues.js';
import { openBed } from './queue.testbed.js';
import { JobHandler, JobSchedule, JobWorker } from './workers/job-handler.decorator.js';
import { CurrentJob, JobData, JobSignal } from './workers/job-params.js';
import type { Job } from 'bullmq';

const events: unknown[] = [];
let running = 0;
let most = 0;

@JobWorker('emails')
class Emails {
  @JobHandler('slow')
  async slow() {
    most = Math.max(most, ++running);
    await sleep(10);
    running--;
  }

  @JobHandler('confirm')
  confirm(@JobData() data: unknown) {
    events.push(data);
  }

  @JobHandler('fail')
  fail(@CurrentJob() { timestamp }: Job) {
    events.push(timestamp);
    throw new Error('always');
  }

  @JobHandler('watchful')
  async watchful(@JobSignal() signal: AbortSignal) {
    events.push('begins');
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve());
    });
    events.push((signal.reason as JobLockLostError).code);
  }

  @JobHandler('digest')
  @JobSchedule('0 8 * * *')
  digest() {
    events.push('digest');
  }
}

beforeEach(() => {
  events.splice(0);
  most = 0;
});

describe('jobs of one key', () => {
  it('run as many at a time as may, over two processes, and lose no attempt by waiting', async () => {
    const server = await RedisServer.start();
    const options = { url: server.url, providers: [Emails], queues: { emails: { perKey: { concurrency: 2 } } } };
    const beds = await Promise.all([openBed(options), openBed(options)]);
    const jobs = beds[0].jobs();
    const added = await jobs.addAll(Array.from({ length: 12 }, () => ({ name: 'slow', options: { key: 'ada' } })));
    const states = async () => Promise.all(added.map(({ id }) => jobs.status(id)));
    await eventually(async () => (await states()).every(({ state }) => state === 'completed'), { within: 15_000 });
    expect(most).toBe(2);
    expect(new Set((await states()).map(({ attemptsMade }) => attemptsMade))).toEqual(new Set([1]));
    await Promise.all(beds.map(({ app }) => app.close()));
    await server.stop();
  }, 20_000);
});

describe('the lock on a job', () => {
  it('tells the handler when it is lost', async () => {
    const server = await RedisServer.start();
    const queues = { emails: { lockDuration: 300, perKey: { concurrency: 1 } } };
    const bed = await openBed({ url: server.url, providers: [Emails], queues });
    const { id } = await bed.jobs().add('watchful', {}, { attempts: 1, key: 'ada' });
    await eventually(() => events.length === 1, { within: 2_000 });
    // What outlives a process that dies: neither lock nor place for longer than the other.
    const [place] = await server.keys('*queue:limit:*');
    const placeMs = Number(await server.command('PTTL', place!));
    expect([placeMs > 0, placeMs <= 300]).toEqual([true, true]);
    await server.command('SET', `{roost:jobs}:emails:${id}:lock`, 'of somebody else');
    await eventually(() => events.length === 2, { within: 2_000 });
    expect(events).toEqual(['begins', JobLockLostError.code]);
    expect(bed.log.filter((line) => line.includes('be renewed'))).toHaveLength(1);
    await bed.app.close();
    await server.stop();
  });
});

describe('jobs with a schema', () => {
  const open = () =>
    openBed({
      providers: [Emails],
      queues: { emails: { jobs: { confirm: z.object({ id: z.number() }), fail: true } } },
    });

  it('are refused where they are added', async () => {
    const bed = await open();
    await expect(bed.jobs().add('confirm', { id: 'one' })).rejects.toThrow(InvalidJobError);
    await expect(bed.jobs().add('confrim', { id: 1 })).rejects.toThrow('There is no job `"confrim"`');
    await expect(bed.jobs().add('toString', {})).rejects.toThrow('There is no job');
    await bed.app.close();
  });

  it('are looked at again before they run: what is wrong is not tried again', async () => {
    const bed = await open();
    const { queue } = bed.app.get(Queues).get('emails')!;
    const { id } = await queue.add('confirm', { id: 'one' }); // by somebody who does not ask
    await eventually(async () => (await bed.jobs().status(id!)).state === 'failed', { within: 2_000 });
    expect(await bed.jobs().status(id!)).toMatchObject({
      attemptsMade: 1,
      failedReason: expect.stringMatching(/^data\.id: /),
    });
    expect(events).toEqual([]);
    await bed.app.close();
  });
});

describe('time in tests', () => {
  it('is moved: three attempts, 60 and 120 s apart, and then a dead letter', async () => {
    const clock = new FakeQueueClock(Date.UTC(2026, 0, 1));
    const bed = await openBed({ providers: [Emails], module: { backend: 'memory', clock } });
    await bed.jobs().add('fail');
    const counts: number[] = [];
    for (const ms of [0, 59_000, 1_000, 119_000, 1_000, 600_000]) {
      await clock.advance(ms);
      counts.push(events.length);
    }
    expect(counts).toEqual([1, 1, 2, 2, 3, 3]);
    expect(await bed.jobs().deadLetters.count()).toBe(1);
    await bed.app.close();
  });

  it('is moved to eight in the morning: the digest runs once', async () => {
    const clock = new FakeQueueClock(Date.UTC(2026, 0, 1, 7, 59));
    const bed = await openBed({ providers: [Emails], module: { backend: 'memory', clock } });
    await clock.advance(59_000);
    expect(events).toEqual([]);
    await clock.advance(1_000);
    await eventually(() => events.length === 1, { within: 1_000 });
    await clock.advance(86_400_000);
    await eventually(() => events.length === 2, { within: 1_000 });
    await bed.app.close();
  });
});
