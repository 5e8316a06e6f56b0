import { Queues } from '../queues.js';
import { OutageError } from '../database/outage.js';
import { openBed } from '../queue.testbed.js';
import { askWithin } from './deadline.js';
import { JobQueue, type PendingJobs } from './job-queue.js';

describe('the status of a job', () => {
  /** The queue `emails`, whose jobs may be in this outbox as well. */
  async function withOutbox(has: PendingJobs['has']) {
    const { app } = await openBed({ module: { backend: 'memory' } });
    const { settings, producer, jobs } = app.get(Queues).get('emails')!;
    const asked = new JobQueue(
      settings,
      producer,
      { has, remove: async () => false },
      askWithin('emails', 200, () => undefined),
      Date.now,
    );
    return { app, jobs, asked };
  }

  it('is that of the store when the job has left the outbox between the looks', async () => {
    const has = async (_: string, id: string) => {
      await jobs.add('confirm', {}, { id, delay: '1h' });
      return false;
    };
    const { app, jobs, asked } = await withOutbox(has);
    expect(await asked.status('just-relayed')).toMatchObject({ state: 'delayed' });
    await app.close();
  });

  it('is refused, and not invented, while the outbox cannot be asked', async () => {
    const { app, asked } = await withOutbox(() => Promise.reject(new OutageError('57P01', false)));
    await expect(asked.status('somewhere')).rejects.toMatchObject({ code: 'queue.unavailable', httpStatus: 503 });
    await app.close();
  });

  it('is unknown when neither has it', async () => {
    const { app, asked } = await withOutbox(async () => false);
    expect(await asked.status('nowhere')).toEqual({ state: 'unknown' });
    await app.close();
  });
});

describe('adding jobs', () => {
  it('tells of the job that a duplicate is one of', async () => {
    const { app, jobs } = await openMemory();
    const once = { deduplication: { id: 'daily' }, delay: '1h' } as const;
    const first = await jobs().add('send', {}, once);
    expect(first.existed).toBe(false);
    expect(await jobs().add('send', {}, once)).toEqual({ id: first.id, existed: true });
    expect(await jobs().addAll([{ name: 'send', options: once }, { name: 'send' }])).toEqual([
      { id: first.id },
      { id: expect.not.stringMatching(first.id) },
    ]);
    await app.close();
  });

  it('refuses what cannot be meant, and more at once than can be stored in time', async () => {
    const { app, jobs } = await openMemory();
    const many = Array.from({ length: 5_001 }, () => ({ name: 'send' }));
    await expect(jobs().addAll(many)).rejects.toThrow(/at most 5000 jobs at once, got 5001/);
    await expect(jobs().addAll(null as never)).rejects.toThrow(/a list of jobs, got `null`/);
    await expect(jobs().addAll([{ name: 'send', opts: { delay: 5 } } as never, null as never])).rejects.toMatchObject({
      problems: [expect.stringContaining('`jobs[0].opts`'), expect.stringContaining('`jobs[1]`')],
    });
    await expect(jobs().add('send', null)).rejects.toThrow(/got null/);
    await expect(jobs().remove('repeat:daily:5')).rejects.toThrow(/use `unschedule`/);
    await app.close();
  });
});

describe('schedules', () => {
  it('take the zone beside the expression, and no option of one job', async () => {
    const { app, jobs } = await openMemory();
    await jobs().schedule('daily', { cron: '0 8 * * *' }, 'send', {}, { timezone: 'Europe/Berlin', expiresIn: '1h' });
    expect(await jobs().schedules()).toMatchObject([{ id: 'daily', timezone: 'Europe/Berlin' }]);
    await expect(jobs().schedule('daily', '0 8 * * *', 'send', {}, { id: 'a', delay: 5 })).rejects.toMatchObject({
      problems: [expect.stringContaining('`id`'), expect.stringContaining('`delay`')],
    });
    await app.close();
  });
});

const openMemory = () => openBed({ module: { backend: 'memory' } });
