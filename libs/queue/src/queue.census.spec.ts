import { Metrics } from '@roost/redis';
import { eventually } from '@roost/testing';
import { QueueCensus } from './queue.census.js';
import { QueueMetrics } from './queue.metrics.js';
import type { Queues } from './queues.js';
import { Bench } from './stores/bullmq.testbed.js';
import { MemoryQueueStore } from './stores/memory.store.js';

describe('the census of queues', () => {
  const bench = new Bench();
  afterEach(() => bench.close());

  it('looks at the queues of a store whenever that has become reachable', async () => {
    const memory = await bench.open(new MemoryQueueStore());
    const queue = bench.queue(memory, 'emails');
    await queue.add('send', {});
    let [trouble, come]: [string | undefined, () => void] = ['connecting', () => {}];
    const store = {
      get trouble() {
        return trouble;
      },
      leastUrgent: async () => undefined,
      onReady: (listener: () => void) => (come = listener),
    };
    const queues = { all: () => [{ queue, store }] } as unknown as Queues;
    const census = new QueueCensus(queues, new QueueMetrics(new Metrics()), Date.now);
    census.start();
    expect(census.report()).toMatchObject({ queues: {} });
    for (const waiting of [1, 2]) {
      trouble = undefined;
      come();
      await eventually(() => expect(census.report()).toMatchObject({ queues: { emails: { waiting } } }), {
        within: 500,
      });
      trouble = 'lost';
      await queue.add('send', {});
    }
    census.stop();
  });
});
