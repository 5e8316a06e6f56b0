import { WaitingError, type Job } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobLockLostError } from '../queue.errors.js';
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
});
