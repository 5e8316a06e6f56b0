import { InvalidOptionsError } from '@roost/redis';
import { UnrecoverableError, Worker } from 'bullmq';
import { once } from 'node:events';
import { QueueStores } from '../queue.stores.js';
import { openBed, type Bed } from '../queue.testbed.js';

describe('dead letters', () => {
  let bed: Bed;

  beforeAll(async () => {
    bed = await openBed({ module: { backend: 'memory' } });
    const stores = bed.app.get(QueueStores);
    const refuse = () => Promise.reject(new UnrecoverableError('no'));
    const worker = new Worker('emails', refuse, stores.lend(await stores.get()));
    for (const id of ['a', 'b', 'c']) {
      const failed = once(worker, 'failed');
      await bed.jobs().add('confirm', {}, { id });
      await failed;
    }
    await worker.close();
  });

  afterAll(() => bed.app.close());

  it.each([
    [0, []],
    [1, ['c']],
    [2, ['c', 'b']],
    [undefined, ['c', 'b', 'a']],
  ])('are as many as one asks for, at most, the newest first: %j', async (limit, ids) => {
    const letters = await bed.jobs().deadLetters.list(limit);
    expect(letters.map(({ id }) => id)).toEqual(ids);
  });

  it.each([-1, 1.5, NaN, Infinity, '5', null])('are not listed or redriven by a limit of %j', async (limit) => {
    const { deadLetters } = bed.jobs();
    await expect(deadLetters.list(limit as number)).rejects.toThrow(InvalidOptionsError);
    await expect(deadLetters.redriveAll(limit as number)).rejects.toThrow('`limit`');
    expect(await deadLetters.count()).toBe(3);
  });

  it.each(['', undefined, null, 5, {}])('are not redriven by the id %j', async (id) => {
    await expect(bed.jobs().deadLetters.redrive(id as string)).rejects.toThrow('`id`');
  });

  it('are redriven up to the limit', async () => {
    const { deadLetters } = bed.jobs();
    expect(await deadLetters.redriveAll(0)).toBe(0);
    expect(await deadLetters.redriveAll(2)).toBe(2);
    expect((await deadLetters.list()).map(({ id }) => id)).toEqual(['a']);
  });
});
