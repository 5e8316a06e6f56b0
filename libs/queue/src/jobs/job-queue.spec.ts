import { Queues } from '../queues.js';
import { OutageError } from '../database/outage.js';
import { openBed } from '../queue.testbed.js';
import { askWithin } from './deadline.js';
import { JobQueue, type PendingJobs } from './job-queue.js';

describe('the status of a job', () => {
  /** The queue `emails`, whose jobs may be in this outbox as well. */
  async function withOutbox(pending: PendingJobs) {
    const { app } = await openBed({ module: { backend: 'memory' } });
    const { settings, producer, jobs } = app.get(Queues).get('emails')!;
    const asked = new JobQueue(
      settings,
      producer,
      pending,
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
    const { app, jobs, asked } = await withOutbox({ has });
    expect(await asked.status('just-relayed')).toMatchObject({ state: 'delayed' });
    await app.close();
  });

  it('is refused, and not invented, while the outbox cannot be asked', async () => {
    const { app, asked } = await withOutbox({ has: () => Promise.reject(new OutageError('57P01', false)) });
    await expect(asked.status('somewhere')).rejects.toMatchObject({ code: 'queue.unavailable', httpStatus: 503 });
    await app.close();
  });

  it('is unknown when neither has it', async () => {
    const { app, asked } = await withOutbox({ has: async () => false });
    expect(await asked.status('nowhere')).toEqual({ state: 'unknown' });
    await app.close();
  });
});
