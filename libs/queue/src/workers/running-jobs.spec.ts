import { UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobLockLostError, JobTimeoutError } from '../queue.errors.js';
import { JobAbort } from './job-abort.js';
import { RunningJobs } from './running-jobs.js';

describe('RunningJobs', () => {
  let running: RunningJobs;
  let errors: string[];
  let moved: string[];
  let move: (id: string) => Promise<void>;

  beforeEach(() => {
    [errors, moved] = [[], []];
    move = async () => undefined;
    running = new RunningJobs((error) => errors.push((error as Error).message));
  });

  /** Runs a job until its signal aborts, or longer. */
  const run = (id: string, obeys: boolean) => {
    const moveToWait = (): Promise<void> => {
      moved.push(id);
      return move(id);
    };
    const job = { id, queueName: 'mail', moveToWait } as unknown as Job;
    const abort = new JobAbort();
    const body = () =>
      new Promise((_, reject) => {
        if (obeys) abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error));
      });
    const ended = running.run(job, 'token', abort, body);
    ended.catch(() => {});
    return { ended, abort };
  };

  it('gives each job back once, whether it ends when it is told or not', async () => {
    move = () => sleep(10); // still under way when the rest is given back
    const jobs = [run('a', true), run('b', false), run('c', true)];
    expect(await running.drain(5)).toBe(3);
    expect(moved.toSorted()).toEqual(['a', 'b', 'c']);
    await expect(jobs[0]!.ended).rejects.toThrow(WaitingError);
    await expect(run('late', false).ended).rejects.toThrow(WaitingError);
    expect([moved.length, errors]).toEqual([4, []]);
  });

  it('tells in one line what could not be given back, and does not count it', async () => {
    move = async (id) => {
      if (id === 'ended') throw new Error('Missing lock for job ended. moveToWait');
      if (id !== 'good') throw new Error('down');
    };
    for (const id of ['good', 'ended', 'a', 'b', 'c']) run(id, id < 'b');
    expect(await running.drain(5)).toBe(1);
    expect(errors).toEqual(['3 jobs could not be handed back: down']);
    await expect(run('late', false).ended).rejects.toThrow(WaitingError);
    expect(errors.slice(1)).toEqual(['down']);
  });

  it('takes no lock for lost of a job that has ended or was given back', async () => {
    const { abort } = run('a', false);
    run('b', false);
    expect(running.lost('mail', ['a', 'ended'])).toEqual(['a']);
    expect(running.lost('letters', ['b'])).toEqual([]);
    expect(abort.signal.reason).toBeInstanceOf(JobLockLostError);
    await running.drain(0);
    expect(running.lost('mail', ['a', 'b'])).toEqual([]);
  });

  it('waits until the store has heard of what ended before the shutdown, and tells of what it has not heard', async () => {
    const ends = (id: string, body: () => Promise<unknown>) => {
      const job = { id, queueName: 'mail' } as Job;
      return { job, ended: running.run(job, 'token', new JobAbort(), body) };
    };
    const done = ends('done', async () => 'result');
    const failed = ends('failed', () => Promise.reject(new Error('no')));
    await expect(done.ended).resolves.toBe('result');
    await expect(failed.ended).rejects.toThrow('no');
    let drained = false;
    const drain = running.drain(2_000).then(() => (drained = true));
    running.told(done.job);
    await sleep(10);
    expect(drained).toBe(false);
    running.told(failed.job);
    await drain;
    expect(errors).toEqual([]);
  });

  it('lets stand what must not be tried again, and gives back what may have failed because it was told', async () => {
    const fails = (id: string, error: Error) => {
      const moveToWait = async () => void moved.push(id);
      const job = { id, queueName: 'mail', moveToWait } as unknown as Job;
      const abort = new JobAbort();
      return running.run(job, 'token', abort, async () => {
        while (abort.reason === undefined) await sleep(1);
        setTimeout(() => running.told(job), 5);
        throw error;
      });
    };
    const refused = fails('refused', new UnrecoverableError('never'));
    const late = fails('late', new JobTimeoutError(5));
    const told = fails('told', new Error('aborted'));
    const ends = Promise.allSettled([refused, late, told]);
    expect(await running.drain(1_000)).toBe(1);
    expect(await ends).toMatchObject([
      { reason: { message: 'never' } },
      { reason: expect.any(JobTimeoutError) },
      { reason: expect.any(WaitingError) },
    ]);
    expect(moved).toEqual(['told']);
  });
});
