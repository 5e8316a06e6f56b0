import { eventually } from '@roost/testing';
import { COUNTED, Fleet } from './fleet.js';
import { ask, count, Load, quantile, slowest, statuses } from './load.js';

describe('the network between the service and Redis breaks', () => {
  let fleet: Fleet;
  let load: Load | undefined;
  beforeAll(async () => {
    fleet = await Fleet.start({ env: COUNTED, proxied: true });
  });
  beforeEach(() => count(fleet.services, 20, (n) => `pro-${n}`));
  afterEach(async () => {
    await load?.stop();
    load = undefined;
    await fleet.proxy!.pass();
    await eventually(() => fleet.allOn('redis'), { within: 10_000 });
  });
  afterAll(() => fleet.stop());

  it('T5 a reply is lost after the script ran: answered all the same, executed once', async () => {
    const before = await fleet.executed();
    await fleet.proxy!.dropReplies({ thenReset: true, once: true, to: 'evalsha' });
    const answer = await ask(fleet.one, 'pro-reply-lost');
    expect(answer.status).toBe(200);
    expect(answer.ms).toBeLessThan(400);
    await eventually(() => fleet.allOn('redis'), { within: 8_000 });
    expect((await fleet.executed()) - before).toBe(1);
  });

  it('T6 half-open, nothing is answered or refused: noticed without traffic within 6 s', async () => {
    await fleet.proxy!.blackhole();
    const startedAt = performance.now();
    await eventually(() => fleet.allOn('memory'), { within: 10_000 });
    expect(performance.now() - startedAt).toBeLessThan(6_500);
  });

  it('T17 Redis answers in 300 ms: served from memory after the first callers, and quickly', async () => {
    load = new Load(fleet.services, 200);
    await fleet.proxy!.delay(150);
    const noticing = await load.during(1_000);
    expect(statuses(noticing)).toEqual([200]);
    expect(slowest(noticing)).toBeLessThan(400);
    const after = await load.during(2_000);
    expect(statuses(after)).toEqual([200]);
    expect(quantile(after, 0.5)).toBeLessThan(50);
    expect(quantile(after, 0.95)).toBeLessThan(150); // on a busy machine; who asks Redis waits for 300
  });

  it('is refused and reset in turn: no 5xx', async () => {
    load = new Load(fleet.services, 200);
    fleet.proxy!.reset();
    const reset = await load.during(500);
    await fleet.proxy!.refuse();
    const refused = await load.during(1_500);
    expect(statuses([...reset, ...refused])).toEqual([200]);
    expect(slowest([...reset, ...refused])).toBeLessThan(400);
  });
});
