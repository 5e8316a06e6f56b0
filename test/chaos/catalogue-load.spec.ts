import { eventually } from '@roost/testing';
import pg from 'pg';
import { CARS, originReads, Visitors } from './catalogue-load.js';
import { Fleet } from './fleet.js';
import { slowest, statuses } from './load.js';
import { Random } from './random.js';

const ORIGIN_MS = 300;

describe('many look at the catalogue', () => {
  let fleet: Fleet;
  let postgres: pg.Client;
  const random = new Random(5);

  beforeAll(async () => {
    fleet = await Fleet.start({ postgres: {}, env: { CATALOGUE_ORIGIN_DELAY_MS: String(ORIGIN_MS) } });
    postgres = new pg.Client(fleet.postgres.url);
    postgres.on('error', () => {}); // it is stopped with the fleet
    await postgres.connect();
  }, 60_000);
  afterAll(async () => {
    await postgres.end();
    await fleet.stop();
  });

  /** How often anything went through the table of cars, by the server's own account. */
  async function scans(): Promise<number> {
    const counted = "SELECT seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables WHERE relname = 'cars'";
    return Number((await postgres.query<{ scans: string }>(counted)).rows[0]!.scans);
  }

  /** Changes prices until the visitors are done; resolves to how many. */
  async function changePrices(visitors: Visitors, everyMs: number): Promise<number> {
    const over = visitors.done.then(() => true);
    const pause = () => new Promise<boolean>((resolve) => setTimeout(resolve, everyMs, false));
    let changed = 0;
    while (!(await Promise.race([over, pause()]))) {
      const response = await random.pick(fleet.services).fetch(`/catalogue/cars/car-${random.between(1, CARS)}`, {
        method: 'PATCH',
        headers: { 'x-admin-token': 'chaos-admin-token', 'content-type': 'application/json' },
        body: JSON.stringify({ pricePerDay: random.between(30, 200) }),
      });
      expect(response.status).toBe(200);
      changed += 1;
    }
    return changed;
  }

  it('175: at least 60 % fewer statements than requests, while prices change', async () => {
    const [readsBefore, scansBefore] = [await originReads(fleet.services), await scans()];
    const visitors = new Visitors(fleet.services, random, { visitors: 8, requests: 800 });
    const changes = await changePrices(visitors, 500);
    const reads = (await originReads(fleet.services)) - readsBefore;
    expect(statuses(visitors.answers)).toEqual([200]);
    expect(visitors.answers).toHaveLength(800);
    expect(changes).toBeGreaterThan(0);
    expect(reads).toBeGreaterThan(0);
    expect(1 - reads / 800).toBeGreaterThanOrEqual(0.6);
    // What the metric says is what the server has seen. A session reports its scans within some ten seconds, or when it ends.
    await postgres.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
    );
    await eventually(async () => expect((await scans()) - scansBefore).toBe(reads + changes), { within: 20_000 });
  }, 60_000);

  it('379, 381: Redis killed meanwhile: no 5xx, nobody waits for longer than a load and 400 ms', async () => {
    // Some eight seconds of it without Redis: longer than what was loaded meanwhile is served again.
    const visitors = new Visitors(fleet.services, random, { visitors: 8, requests: 2_000, pauseMs: 20 });
    const changes = changePrices(visitors, 1_000);
    await eventually(() => visitors.answers.length > 300, { within: 20_000 });
    await fleet.server.kill();
    await visitors.done;
    expect(await changes).toBeGreaterThan(3);
    expect(statuses(visitors.answers)).toEqual([200]);
    expect(slowest(visitors.answers)).toBeLessThan(ORIGIN_MS + 400);
    await fleet.server.restart();
    await eventually(() => fleet.allOn('redis'), { within: 15_000 });
  }, 60_000);
});
