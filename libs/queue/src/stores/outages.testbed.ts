import { eventually } from '@roost/testing';
import { tellsOfChanges } from '../schedules/schedule-keeper.testbed.js';
import { QueueClosedError } from '../queue.errors.js';
import { tookMs, type Bench } from './bullmq.testbed.js';
import type { QueueStore } from './queue.store.js';

/** A store on a server that can be lost. */
export interface StoreOnServer {
  readonly bench: Bench;
  readonly open: () => Promise<QueueStore>;
  readonly server: () => { kill(): Promise<void>; restart(): Promise<void>; freeze(): void; thaw(): void };
  /** What a job is refused with while the server is lost. */
  readonly refusal: RegExp | (new (...args: never[]) => Error);
  /** How soon it is refused when it is known that the server hangs. */
  readonly hungWithinMs: number;
}

/** What is the same on each of them; declares tests. */
export function outlivesItsServer({ bench, open, server, refusal, hungWithinMs }: StoreOnServer): void {
  const refused = (added: Promise<unknown>) => tookMs(() => expect(added).rejects.toThrow(refusal as RegExp));

  it('case 5: goes on when the server is restarted: workers, events, and a job that ended meanwhile', async () => {
    const store = await open();
    const queue = bench.queue(store, 'restart');
    const events = bench.events(store, 'restart');
    const done: string[] = [];
    events.on('completed', ({ returnvalue }) => done.push(returnvalue));
    await events.waitUntilReady();
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let calls = 0;
    bench.worker(store, 'restart', async ({ name }) => {
      calls++;
      if (name === 'long') await held;
      return name;
    });
    await queue.add('long', {});
    await eventually(() => calls === 1, { within: 1_000 });
    await server().kill();
    release(); // the job ends while nobody can be told
    expect(await refused(queue.add('no', {}))).toBeLessThan(200);
    await server().restart();
    await eventually(() => store.trouble === undefined, { within: 5_000 });
    await queue.add('next', {});
    await eventually(() => done.length === 2, { within: 3_500 });
    expect([calls, done.toSorted()]).toEqual([2, ['long', 'next']]);
  }, 20_000);

  it('refuses in a second while the server hangs, and workers go on when it answers again', async () => {
    const store = await open();
    const queue = bench.queue(store, 'frozen');
    const ran: string[] = [];
    bench.worker(store, 'frozen', async ({ name }) => ran.push(name));
    await queue.add('before', {});
    await eventually(() => ran.length === 1, { within: 1_000 });
    server().freeze();
    const all = await Promise.all(Array.from({ length: 15 }, () => refused(queue.add('hung', {}))));
    expect(Math.max(...all)).toBeLessThan(1_150);
    expect(await refused(queue.add('hung', {}))).toBeLessThan(hungWithinMs);
    server().thaw();
    await eventually(() => store.trouble === undefined, { within: 4_000 });
    await eventually(() => queue.add('after', {}).then(() => true), { within: 4_000 });
    await eventually(() => ran.includes('after'), { within: 5_000 });
  }, 20_000);

  it('case 6: does not take a job after its queue was closed, nor after the store was', async () => {
    const store = await open();
    const [first, second] = [bench.queue(store, 'closed'), bench.queue(store, 'closed')];
    await first.add('a', {});
    await first.close();
    const closed = (added: Promise<unknown>) => tookMs(() => expect(added).rejects.toThrow(QueueClosedError));
    expect(await closed(first.add('b', {}))).toBeLessThan(50);
    expect(await second.getWaitingCount()).toBe(1);
    await store.close();
    expect(await closed(second.add('c', {}))).toBeLessThan(50);
    expect(store.trouble).toBe('closed');
  });

  it('lets others go on when events are read after it has closed', async () => {
    const store = await open();
    const events = bench.events(store, 'unclosed', { blockingTimeout: 20 });
    await events.waitUntilReady();
    await store.close();
    const since = performance.now();
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 30));
    expect(performance.now() - since).toBeLessThan(1_000);
  });

  it('keeps a declared schedule so that the next boot finds it unchanged', async () => {
    const store = await open();
    await tellsOfChanges((defaultJobOptions) => bench.queue(store, 'schedules', { defaultJobOptions }));
  });
}
