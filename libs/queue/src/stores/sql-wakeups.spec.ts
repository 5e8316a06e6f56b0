import { SqlWakeups } from './sql-wakeups.js';

/** A database that somebody begins to listen to, and which answers when the test says so. */
function database() {
  const asked: { channel: string; tell: (queue?: string) => void; stands: () => void; fails: () => void }[] = [];
  const ended: string[] = [];
  const listen = (channel: string, tell: (queue: string | undefined) => void) =>
    new Promise<() => Promise<void>>((resolve, reject) => {
      const unlisten = async () => void ended.push(channel);
      asked.push({ channel, tell, stands: () => resolve(unlisten), fails: () => reject(new Error('gone')) });
    });
  return { asked, ended, wakeups: new SqlWakeups({ listen }) };
}

describe('wake-ups', () => {
  const overs: string[] = [];
  afterEach(() => void overs.splice(0));
  const waits = (wakeups: SqlWakeups, kind: 'jobs' | 'events', queue: string) => {
    const wait = wakeups.wait(kind, queue, 60_000);
    void wait.over.then(() => overs.push(`${kind} ${queue}`));
    return wait;
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('are asked for when somebody waits, and not before', async () => {
    const { asked, wakeups } = database();
    await wakeups.start();
    expect(asked).toEqual([]);
    const all = [waits(wakeups, 'jobs', 'a'), waits(wakeups, 'jobs', 'b'), waits(wakeups, 'events', 'a')];
    expect(asked.map(({ channel }) => channel)).toEqual(['bullmq_jobs', 'bullmq_events']);
    for (const each of all) each.end();
  });

  it('let everybody look once more who began to wait before they could be told', async () => {
    const { asked, wakeups } = database();
    waits(wakeups, 'jobs', 'a');
    await settled();
    expect(overs).toEqual([]);
    asked[0]!.stands();
    await settled();
    expect(overs).toEqual(['jobs a']);
    const [a, b] = [waits(wakeups, 'jobs', 'a'), waits(wakeups, 'jobs', 'b')];
    asked[0]!.tell('b');
    await settled();
    expect([overs, asked.length]).toEqual([['jobs a', 'jobs b'], 1]);
    a.end();
    b.end();
  });

  it('are asked for again after a failure: by the next who waits, and when the database is there', async () => {
    const { asked, wakeups } = database();
    const first = waits(wakeups, 'jobs', 'a');
    asked[0]!.fails();
    await settled();
    const started = wakeups.start();
    asked[1]!.fails();
    await expect(started).rejects.toThrow('gone');
    const second = waits(wakeups, 'jobs', 'a');
    expect(asked).toHaveLength(3);
    first.end();
    second.end();
  });

  it('end everybody at the close, and then nobody is asked any more', async () => {
    const { asked, ended, wakeups } = database();
    waits(wakeups, 'jobs', 'a');
    asked[0]!.stands();
    await settled();
    waits(wakeups, 'events', 'a');
    asked[1]!.stands();
    waits(wakeups, 'jobs', 'a');
    await wakeups.close();
    expect([overs.length, ended.toSorted()]).toEqual([3, ['bullmq_events', 'bullmq_jobs']]);
    waits(wakeups, 'jobs', 'a').end();
    expect(asked).toHaveLength(2);
  });

  it('do not hold up the close when the database hangs', async () => {
    const { wakeups } = database();
    waits(wakeups, 'jobs', 'a');
    const startedAt = performance.now();
    await wakeups.close();
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
