import { RedisServer } from '@roost/testing';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { behaviours } from './behaviours.js';
import { openBaseline, openBench } from './bench.js';
import { Outcomes } from './outcomes.js';

/** BullMQ on Redis, as it comes, is what every backend has to be like. */
describe('every backend does what BullMQ does on Redis', () => {
  let server: RedisServer;
  let store: MemoryQueueStore;
  let baseline: Outcomes;
  let memory: Outcomes;

  beforeAll(async () => {
    server = await RedisServer.start();
    store = new MemoryQueueStore();
    baseline = new Outcomes(openBaseline(server.url), behaviours);
    memory = new Outcomes(openBench(store), behaviours);
  });
  afterAll(async () => {
    await Promise.all([baseline?.all(), memory?.all()]); // also when only some were asked for
    await store?.close();
    await server?.stop();
  });

  it.each(Object.keys(behaviours))('in memory: %s', async (name) => {
    const expected = await baseline.of(name);
    expect(await memory.of(name)).toEqual(expected);
  });
});
