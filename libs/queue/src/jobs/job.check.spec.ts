import { InvalidJobError, UnknownJobOptionError } from '../queue.errors.js';
import { storedOptions } from './job.check.js';
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
    expect(options.roost).toEqual({ timeoutMs: 30_000, expiresAt: NOW + 3_600_000, key: 'customer-1' });
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
  ])('refuse `%s`: %j, and say what was expected', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it('name every problem at once', () => {
    expect(problemsOf({ attempts: -1, delay: 'soon', key: 7 })).toHaveLength(3);
  });
});
