import type { Job } from 'bullmq';
import { InvalidJobError, UnknownJobOptionError } from '../queue.errors.js';
import { expiryOfJob, storedOptions } from './job.check.js';
import { JOB_DEFAULTS, type JobOptions } from './job.options.js';

const NOW = Date.UTC(2026, 0, 1);

function problemsOf(options: object): readonly string[] {
  try {
    storedOptions(options as JobOptions, NOW);
    return [];
  } catch (error) {
    return (error as InvalidJobError).problems;
  }
}

describe('the options of a job', () => {
  it('are those of BullMQ where it has them', () => {
    expect(storedOptions(JOB_DEFAULTS, NOW)).toEqual({
      attempts: 3,
      backoff: { type: 'exponential', delay: 60_000 },
      removeOnComplete: { age: 86_400 },
      removeOnFail: { age: 14 * 86_400 },
    });
    const options: JobOptions = { priority: 'low', delay: '5m', lifo: true, keepResult: 0, backoff: '2s', id: 'a-1' };
    expect(storedOptions(options, NOW)).toEqual({
      jobId: 'a-1',
      priority: 100,
      delay: 300_000,
      lifo: true,
      removeOnComplete: true,
      backoff: { type: 'fixed', delay: 2_000 },
    });
  });

  it('keep what BullMQ does not have under one name', () => {
    const options = storedOptions({ timeout: '30s', expiresIn: '1h', key: 'customer-1' }, NOW);
    expect(Object.keys(options)).toEqual(['roost']);
    expect(options.roost).toEqual({ timeoutMs: 30_000, expiresInMs: 3_600_000, key: 'customer-1' });
  });

  it('count what they expire in from when the job could start', () => {
    const expiryOf = (options: JobOptions) =>
      expiryOfJob({ opts: storedOptions(options, NOW), timestamp: NOW } as Pick<Job, 'opts' | 'timestamp'>);
    expect(expiryOf({ expiresIn: 500 })).toBe(NOW + 500);
    expect(expiryOf({ expiresIn: 500, delay: 1_000 })).toBe(NOW + 1_500);
    expect(expiryOf({ expiresAt: new Date(NOW + 9), delay: 1_000 })).toBe(NOW + 9);
    expect(expiryOf({})).toBeUndefined();
  });

  it('reckon dates from now, and not into the past', () => {
    expect(storedOptions({ delay: new Date(NOW + 500) }, NOW).delay).toBe(500);
    expect(storedOptions({ delay: new Date(NOW - 500) }, NOW).delay).toBe(0);
  });

  it('case 18: refuse `repeat`, which BullMQ 6 takes and forgets', () => {
    expect(() => storedOptions({ repeat: { every: 5 } } as JobOptions, NOW)).toThrow(UnknownJobOptionError);
    expect(() => storedOptions({ repeat: { every: 5 } } as JobOptions, NOW)).toThrow(/Use `JobQueue.schedule/);
  });

  it.each(['attemptss', 'debounce', 'jobId', 'removeOnComplete'])(
    'case 19: refuse `%s`, which does not exist',
    (name) => {
      expect(() => storedOptions({ [name]: 3 } as JobOptions, NOW)).toThrow(new RegExp(`no job option \`${name}\``));
    },
  );

  it('case 20: refuse a kind of backoff that does not exist', () => {
    expect(problemsOf({ backoff: { type: 'nope', delay: 100 } })).toEqual([
      'Expected `backoff.type` to be fixed or exponential, got `"nope"` (string)',
    ]);
  });

  it.each([
    ['attempts', 0],
    ['attempts', 1.5],
    ['priority', 2_097_152],
    ['priority', 'urgent'],
    ['delay', '5 minutes'],
    ['timeout', -1],
    ['expiresAt', '2026-01-01'],
    ['key', ''],
    ['id', '17'],
    ['id', 'a:b'],
    ['id', '-1'],
    ['timeout', '25d'],
    ['backoff', { type: 'fixed' }],
    ['backoff', { type: 'fixed', delay: 5, jitter: 2 }],
    ['deduplication', { id: '' }],
    ['deduplication', { id: 'a', tll: 5 }],
    ['keepResult', '1 day'],
    ['lifo', 'yes'],
    ['lifo', null],
    ['id', 'a\u0000'],
    ['id', 'a\ud800'],
    ['key', 'a\u0000'],
    ['key', 'a\udc00'],
    ['backoff', null],
    ['backoff', []],
    ['backoff', { type: 'fixed', delay: 5, jitter: '0.5' }],
    ['backoff', { type: 'fixed', delay: null }],
    ['deduplication', null],
    ['deduplication', 'a'],
    ['deduplication', { id: 'a\u0000' }],
    ['deduplication', { id: 'a', ttl: '1 day' }],
    ['deduplication', { id: 'a', extend: 1 }],
    ['deduplication', { id: 'a', replace: 'yes' }],
    ['deduplication', { id: 'a', keepLastIfActive: null }],
    ['expiresAt', new Date(NaN)],
    ['delay', new Date(NaN)],
    ['delay', null],
  ])('refuse `%s`: %j, and say what was expected', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it('name every problem at once', () => {
    expect(problemsOf({ attempts: -1, delay: 'soon', key: 7 })).toHaveLength(3);
    expect(() => storedOptions({ attemptss: 3, repeat: {}, delay: 'soon' } as never, NOW)).toThrow(
      /no job option `attemptss`.*no job option `repeat`. Use `JobQueue.schedule.*`delay`/,
    );
  });

  it.each([null, undefined, 'later', [], 5])('are refused when they are %j', (options) => {
    expect(() => storedOptions(options as never, NOW)).toThrow(InvalidJobError);
    expect(problemsOf(options as never)).toEqual([expect.stringMatching(/^Expected the options to be an object, got/)]);
  });

  it.each(['wait', 'meta', 'failed', 'pc'])('refuse the id `%s`: BullMQ keeps something else there on Redis', (id) => {
    expect(problemsOf({ id })).toEqual([expect.stringContaining('BullMQ')]);
  });

  it('are those of the queue where the job has none', () => {
    const defaults: JobOptions = { attempts: 5, expiresIn: '1h' };
    expect(storedOptions({ attempts: undefined } as never, NOW, defaults)).toEqual({
      attempts: 5,
      roost: { expiresInMs: 3_600_000 },
    });
    const own = storedOptions({ attempts: 1, expiresAt: new Date(NOW + 5) }, NOW, defaults);
    expect(own).toEqual({ attempts: 1, roost: { expiresAt: NOW + 5 } });
    expect(() => storedOptions({ expiresIn: 5, expiresAt: new Date(NOW) }, NOW, defaults)).toThrow('got both');
  });
});
