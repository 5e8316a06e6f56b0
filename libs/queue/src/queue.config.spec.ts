import { InvalidOptionsError } from '@roost/redis';
import { QueueConfig, resolveQueue } from './queue.config.js';

function problemsOf(make: () => unknown): readonly string[] {
  try {
    make();
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionsError);
    return (error as InvalidOptionsError).problems;
  }
}

const moduleProblems = (options: unknown) => problemsOf(() => new QueueConfig(options as never));
const queueProblems = (options: unknown) => problemsOf(() => resolveQueue('emails', options as never, {}));

describe('the options of the module', () => {
  it('stand without any', () => {
    expect(new QueueConfig({})).toMatchObject({ backend: 'auto', workers: true, drainMs: 10_000, production: false });
  });

  it.each([null, undefined, 'redis', []])('are refused when they are %j', (options) => {
    expect(moduleProblems(options)).toEqual([expect.stringMatching(/^Expected the options to be an object, got/)]);
  });

  it.each([
    ['workers', 'false'],
    ['production', 1],
    ['connection', null],
    ['backend', null],
    ['durability', 'AOF'],
    ['drainTimeout', '10 s'],
    ['enqueueTimeout', '25d'],
    ['clock', {}],
    ['defaults', null],
    ['defaults', { attempts: 0 }],
    ['defaults', { attemptss: 3 }],
    ['defaults', { id: 'always-the-same' }],
    ['defaults', { expiresAt: new Date(0) }],
    ['database', null],
    ['database', 'postgres://localhost/jobs'],
    ['database', { url: undefined }],
    ['database', { url: 'postgres://localhost/jobs', folder: '/jobs' }],
    ['database', { ulr: 'postgres://localhost/jobs', folder: '/jobs' }],
    ['databse', { folder: '/jobs' }],
  ])('refuse `%s`: %j', (name, value) => {
    expect(moduleProblems({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it('name every problem at once, those of the defaults included', () => {
    const options = { workers: 'no', defaults: { lifo: 'yes', attempts: 0, delayy: 5, id: 'a' }, database: null };
    expect(moduleProblems(options)).toHaveLength(6);
  });

  it('let a default that is undefined be the default', () => {
    expect(new QueueConfig({ defaults: { attempts: undefined } as never }).defaults.attempts).toBe(3);
    expect(resolveQueue('emails', { defaults: { attempts: undefined } as never }, { attempts: 5 }).defaults).toEqual({
      attempts: 5,
    });
  });
});

describe('the options of a queue', () => {
  const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const;

  it('are resolved', () => {
    const callable = Object.assign(() => undefined, schema); // as arktype makes them
    const jobs = { confirm: schema, survey: true, callable } as const;
    const rate = { max: 10, window: '1s' } as const;
    expect(resolveQueue('emails', { jobs, rate, perKey: { concurrency: 1, rate } }, {})).toMatchObject({
      jobs,
      limiter: { max: 10, duration: 1_000 },
      perKey: { concurrency: 1, rate: { max: 10, windowMs: 1_000 } },
    });
  });

  it.each([null, undefined, 5])('are refused when they are %j', (options) => {
    expect(queueProblems(options)).toEqual([expect.stringMatching(/^Expected the options to be an object, got/)]);
  });

  it.each([
    ['perKey', null],
    ['perKey', 2],
    ['perKey.concurency', { concurency: 2 }],
    ['perKey.concurrency', { concurrency: 0 }],
    ['perKey.concurrency', { concurrency: null }],
    ['perKey.rate', { rate: null }],
    ['perKey.rate.per', { rate: { max: 1, window: '1s', per: 'hour' } }],
    ['perKey.rate.max', { rate: { max: '1', window: '1s' } }],
    ['perKey.rate.window', { rate: { max: 1 } }],
    ['rate', null],
    ['rate.duration', { max: 1, window: '1s', duration: 5 }],
    ['rate.window', { max: 1, window: '1 s' }],
    ['jobs', null],
    ['jobs', ['confirm']],
    ['jobs.confirm', { confirm: {} }],
    ['jobs.confirm', { confirm: false }],
    ['jobs.confirm', { confirm: { '~standard': true } }],
    ['jobs', { '': true }],
    ['jobs', { 'a\u0000': true }],
    ['defaults', null],
    ['defaults', { id: 'always-the-same' }],
    ['backend', 'mysql'],
    ['concurrency', '8'],
    ['fairnessEvery', 0],
    ['lockDuration', null],
    ['lockDuration', 30],
    ['stalledInterval', '10ms'],
    ['conc', 3],
  ])('refuse `%s`: %j', (name, value) => {
    expect(queueProblems({ [name.split('.')[0]!]: value })).toEqual([expect.stringContaining(`\`${name}`)]);
  });

  it('name every problem at once', () => {
    const options = { perKey: { rate: { max: 0 }, x: 1 }, rate: 5, jobs: { a: 1, b: 2 }, defaults: { lifo: 1 } };
    expect(queueProblems(options)).toHaveLength(7);
  });

  it.each(['', 'a b', 5, null])('are refused for a queue that is called %j', (name) => {
    expect(problemsOf(() => resolveQueue(name as string, {}, {}))).toEqual([expect.stringContaining('name')]);
  });
});
