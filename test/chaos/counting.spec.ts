import { eventually, type ServiceProcess } from '@roost/testing';
import { COUNTED, Fleet } from './fleet.js';
import { ask, count, Load, quantile, statuses } from './load.js';

const LIMIT = 100; // of the free tier, per hour
const INSTANCES = 2;
const FLAPS = 3;

describe('what is admitted when Redis comes and goes', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ instances: INSTANCES, env: COUNTED, redis: { appendonly: true } });
  });
  afterEach(() => eventually(() => fleet.allOn('redis'), { within: 15_000 }));
  afterAll(() => fleet.stop());

  it('two processes share one limit, exactly', async () => {
    expect(await count(fleet.services, 300, () => 'free-shared')).toEqual({ 200: LIMIT, 429: 200 });
  });

  it('answers quickly: the check is one round trip', async () => {
    const before = await fleet.executed();
    const load = new Load(fleet.services, 200);
    const answers = await load.during(1_500);
    await load.stop();
    expect(quantile(answers, 0.5)).toBeLessThan(50);
    expect((await fleet.executed()) - before).toBeLessThanOrEqual(load.answers.length);
  });

  it('T19 at most the limit and each replica its part, when Redis is lost in the middle and returns', async () => {
    const key = () => 'free-switched';
    const shared = await count(fleet.services, 60, key);
    fleet.server.freeze();
    const alone = await count(fleet.services, 400, key);
    fleet.server.thaw();
    await eventually(() => fleet.allOn('redis'), { within: 8_000 });
    await eventually(async () => (await debts()).every((limits) => limits === 0), { within: 2_000 });
    const again = await count(fleet.services, 300, key);

    const admitted = [shared, alone, again].map((answers) => answers[200] ?? 0);
    const total = admitted.reduce((sum, each) => sum + each);
    expect(admitted[0]).toBe(60);
    expect(admitted[1]).toBeGreaterThan(0);
    expect(admitted[1]).toBeLessThanOrEqual(INSTANCES * Math.ceil(LIMIT / INSTANCES));
    expect(admitted[2]).toBe(0); // what was granted alone counts: no second helping
    expect(total).toBeLessThanOrEqual(LIMIT + INSTANCES * Math.ceil(LIMIT / INSTANCES));
    expect(Object.keys({ ...shared, ...alone, ...again }).sort()).toEqual(['200', '429']);
  });

  it('T3 what ran in Redis after its caller gave up is what was sent before the outage was noticed', async () => {
    const before = await fleet.executed();
    fleet.server.freeze();
    const answered = await count(fleet.services, 400, (n) => `pro-ghost-${n}`);
    fleet.server.thaw();
    await eventually(() => fleet.allOn('redis'), { within: 8_000 });
    expect(answered).toEqual({ 200: 400 });
    const atOnce = 32;
    const unnoticed = 4 * INSTANCES; // the breaker of each instance opens at its fifth failure
    const merges = INSTANCES * 400 * 0.01; // of what was granted alone, a hundred in a call
    expect((await fleet.executed()) - before).toBeLessThanOrEqual(atOnce + unnoticed + merges);
  });

  it('T21 a stall of the process itself is not taken for an outage', async () => {
    const { logs } = fleet.one;
    const before = logs.length;
    const load = new Load([fleet.one], 200);
    await load.during(300);
    for (let i = 0; i < 3; i++) {
      fleet.one.signal('SIGSTOP'); // to the process, a stalled event loop and a stopped process look alike
      await new Promise((resolve) => setTimeout(resolve, 600));
      fleet.one.signal('SIGCONT');
      await load.during(300);
    }
    await load.stop();
    expect(logs.slice(before).filter((line) => line['event'] === 'redis.lost')).toEqual([]);
    expect(await fleet.backends()).toEqual(['redis', 'redis']);
  });

  it('T18 flapping every two seconds: one warning, few switches, no 5xx', async () => {
    const load = new Load(fleet.services, 100);
    const seen = fleet.services.map(({ logs }) => logs.length);
    for (let i = 0; i < FLAPS; i++) {
      fleet.server.freeze();
      await load.during(2_000);
      fleet.server.thaw();
      await load.during(2_000);
    }
    expect(statuses(await load.stop())).toEqual([200]);
    for (const [index, { logs }] of fleet.services.entries()) {
      const lines = logs.slice(seen[index]);
      expect(lines.filter(({ event }) => event === 'redis.lost').length).toBeLessThanOrEqual(1);
      expect(lines.filter(({ event }) => event === 'redis.connected').length).toBeLessThanOrEqual(FLAPS);
    }
  }, 60_000);

  it('T24 20 000 different keys in an outage: memory stays bounded, limits still hold', async () => {
    fleet.server.freeze();
    await eventually(async () => (await ask(fleet.one, 'pro-x')).status === 200 && fleet.allOn('memory'), {
      within: 8_000,
    });
    const before = await heap();
    expect(await count([fleet.one], 20_000, (n) => `pro-attack-${n}`, 64)).toEqual({ 200: 20_000 });
    expect((await heap()) - before).toBeLessThan(80_000_000);
    expect(await count([fleet.one], LIMIT, () => 'free-after', 1)).toEqual({ 200: 50, 429: 50 });
    fleet.server.thaw();
  }, 60_000);

  async function heap(): Promise<number> {
    return metric(fleet.one, 'process_resident_memory_bytes');
  }

  /** Of how many limits each instance has yet to tell Redis what it granted alone. */
  function debts(): Promise<number[]> {
    return Promise.all(fleet.services.map((service) => metric(service, 'roost_rate_limit_debts')));
  }

  async function metric(service: ServiceProcess, series: string): Promise<number> {
    const lines = (await (await service.fetch('/metrics')).text()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${series} `))?.slice(series.length) ?? 0);
  }
});
