import { Logger, type LoggerService } from '@nestjs/common';
import type { WarmReport } from '@roost/cache';
import { eventually } from '@roost/testing';
import type { CatalogueService } from './catalogue.service.js';
import { CatalogueWarmUp } from './catalogue.warm-up.js';

const soon = { within: 1_000, every: 5 };

describe('CatalogueWarmUp', () => {
  const lines: [level: string, message: unknown][] = [];
  const at = (level: string) => (message: unknown) => void lines.push([level, message]);
  beforeEach(() => {
    lines.length = 0;
    Logger.overrideLogger({ log: at('log'), warn: at('warn'), error: at('error') } as unknown as LoggerService);
  });
  afterEach(() => Logger.overrideLogger(false));

  const begin = (warm: (signal: AbortSignal) => Promise<WarmReport>, config = {}) => {
    const catalogue = { warm } as CatalogueService;
    const warmUp = new CatalogueWarmUp(catalogue, { NODE_ENV: 'production', CATALOGUE_WARM_UP: undefined, ...config });
    warmUp.onApplicationBootstrap();
    return warmUp;
  };
  const report = { total: 3, loaded: 3, present: 0, failed: 0 };

  it('keeps nobody waiting, and tells when it is done', async () => {
    begin(() => Promise.resolve(report));
    expect(lines).toEqual([]);
    await eventually(() => expect(lines).toEqual([['log', 'The catalogue is warm']]), soon);
  });

  it('tells once of what failed', async () => {
    begin(() => Promise.resolve({ ...report, loaded: 1, failed: 2 }));
    await eventually(() => expect(lines).toEqual([['warn', expect.stringContaining('not warm')]]), soon);
    lines.length = 0;
    begin(() => Promise.reject(new Error('boom')));
    await eventually(() => expect(lines).toEqual([['error', new Error('boom')]]), soon);
  });

  it('ends with the application, without a word', async () => {
    let given: AbortSignal | undefined;
    const warmUp = begin(async (signal) => {
      given = signal;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { ...report, failed: 3 };
    });
    expect(given!.aborted).toBe(false);
    warmUp.beforeApplicationShutdown();
    expect(given!.aborted).toBe(true);
    await new Promise(setImmediate);
    expect(lines).toEqual([]);
  });

  it.each([
    [{ NODE_ENV: 'test' }, 0],
    [{ NODE_ENV: 'test', CATALOGUE_WARM_UP: true }, 1],
    [{ NODE_ENV: 'development' }, 1],
    [{ CATALOGUE_WARM_UP: false }, 0],
  ])('with %j is begun %i times', (config, times) => {
    const warm = jest.fn(() => Promise.resolve(report));
    begin(warm, config);
    expect(warm).toHaveBeenCalledTimes(times);
  });
});
