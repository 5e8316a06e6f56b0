import { Lifecycle } from './lifecycle.js';

describe('Lifecycle', () => {
  const settings = { drainMs: 5_000, closeWithinMs: 0, processMetrics: false };

  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('has not started before the application has', () => {
    const lifecycle = new Lifecycle(settings);
    expect([lifecycle.started, lifecycle.stopping]).toEqual([false, false]);
    lifecycle.onApplicationBootstrap();
    expect([lifecycle.started, lifecycle.stopping]).toEqual([true, false]);
    lifecycle.onModuleDestroy();
    expect([lifecycle.started, lifecycle.stopping]).toEqual([true, true]);
  });

  it('holds the server open for drainMs after SIGTERM', async () => {
    const lifecycle = new Lifecycle(settings);
    let closed = false;
    const drained = lifecycle.beforeApplicationShutdown('SIGTERM').then(() => (closed = true));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(closed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await drained;
  });

  it('does not hold it open for Ctrl-C or close()', async () => {
    await new Lifecycle(settings).beforeApplicationShutdown('SIGINT');
    await new Lifecycle(settings).beforeApplicationShutdown();
    expect(jest.getTimerCount()).toBe(0);
  });
});
