import { Bench } from '../stores/bullmq.testbed.js';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { tellsOfChanges } from './schedule-keeper.testbed.js';
import { ScheduleKeeper, type DeclaredSchedule } from './schedule-keeper.js';

const at = { cron: '0 8 * * *' };

describe('declared schedules', () => {
  const bench = new Bench();
  let store: MemoryQueueStore;
  beforeEach(async () => void (store = await bench.open(new MemoryQueueStore())));
  afterEach(() => bench.close());

  async function boot(declared: readonly DeclaredSchedule[]) {
    const queue = bench.queue(store, 'q');
    await new ScheduleKeeper(queue, declared, { log: () => {}, error: () => {} }).reconcile();
    return queue;
  }

  it('are told of when they begin, change and end', () =>
    tellsOfChanges((defaultJobOptions) => bench.queue(store, 'q', { defaultJobOptions })));

  it('leave alone those that were made at run time, whatever they are called', async () => {
    const queue = await boot([]);
    await queue.upsertJobScheduler('roost.mine', { every: 60_000 }, { name: 'mine' });
    await boot([]);
    expect((await queue.getJobSchedulers()).map(({ key }) => key)).toEqual(['roost.mine']);
  });

  it('are all kept, whatever their jobs are called', async () => {
    const names = ['a', 'a', 'a.2', 'b:c', 'b.c'];
    const queue = await boot(names.map((name) => ({ name, timing: at, data: {} })));
    const kept = await queue.getJobSchedulers();
    expect(kept.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });
});
