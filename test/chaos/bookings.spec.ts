import { eventually, type ServiceProcess } from '@roost/testing';
import { book, bookingsOf, type Answer } from './booking-rounds.js';
import { Fleet, ready } from './fleet.js';

const days = { from: '2026-06-10', to: '2026-06-15' };

describe('bookings when Redis or Postgres goes away', () => {
  let fleet: Fleet;
  let used = 0;
  const nextCar = () => `car-${(used += 1)}`;

  beforeAll(async () => void (fleet = await Fleet.start({ instances: 2, postgres: {} })), 60_000);
  afterAll(() => fleet.stop());
  afterEach(async () => {
    if (!fleet.server.running) await fleet.server.restart();
    if (!fleet.postgres.running) await fleet.postgres.restart();
    fleet.postgres.thaw();
    await eventually(async () => (await Promise.all(fleet.services.map(isBack))).every(Boolean), { within: 15_000 });
  }, 60_000);

  /** Locks may be in quarantine for a minute: bookings do not care who decides. */
  async function isBack(service: ServiceProcess): Promise<boolean> {
    const { redis, database } = (await ready(service)).details;
    return redis.current === 'redis' && database.status === 'up';
  }

  /** An answer, and how long it took. */
  async function timed(service: ServiceProcess, carId: string): Promise<Answer & { ms: number }> {
    const start = performance.now();
    const answer = await book(service, { carId, ...days });
    return { ...answer, ms: performance.now() - start };
  }

  /** What the 503s of a lost database have in common: quick, and with a time to return. */
  function expectUnavailable(answers: readonly (Answer & { ms: number })[], withinMs: number): void {
    expect(answers.filter(({ status }) => status !== 503)).toEqual([]);
    expect(answers.filter(({ retryAfter }) => !(Number(retryAfter) >= 1))).toEqual([]);
    expect(answers.filter(({ ms }) => ms > withinMs)).toEqual([]);
  }

  it('two instances share what is booked', async () => {
    const carId = nextCar();
    expect((await book(fleet.one, { carId, ...days })).status).toBe(201);
    expect(await book(fleet.other, { carId, ...days })).toMatchObject({ status: 409, code: 'booking.already-taken' });
    await eventually(async () => (await bookingsOf(fleet.other, carId))?.length === 1, { within: 5_000 });
  });

  it('Redis killed: bookings go on, and still exclude each other; Redis back: no difference', async () => {
    const carId = nextCar();
    await fleet.server.kill();
    const alone = await Promise.all(fleet.services.map((service) => timed(service, carId)));
    expect(new Set(alone.map(({ status }) => status))).toEqual(new Set([201, 409]));
    expect(alone.filter(({ ms }) => ms > 3_000)).toEqual([]);
    await fleet.server.restart(); // empty: what it granted before is forgotten
    for (const service of fleet.services) {
      expect(await timed(service, carId)).toMatchObject({ status: 409, code: 'booking.already-taken' });
      expect((await timed(service, nextCar())).status).toBe(201);
    }
  }, 30_000);

  it('Redis frozen: bookings go on', async () => {
    const carId = nextCar();
    fleet.server.freeze();
    try {
      const answers = await Promise.all(fleet.services.map((service) => timed(service, carId)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]));
      expect(answers.filter(({ ms }) => ms > 3_000)).toEqual([]);
    } finally {
      fleet.server.thaw();
    }
  }, 30_000);

  it('Postgres killed: 503 with Retry-After at once, the rest goes on, and bookings do when it is back', async () => {
    const carId = nextCar();
    await fleet.postgres.kill();
    expectUnavailable(await Promise.all(fleet.services.map((service) => timed(service, carId))), 3_000);
    expect((await fleet.one.fetch(`/bookings?carId=${carId}`)).status).toBe(503);
    expect((await fleet.one.fetch('/api/quotes?carId=car-1')).status).toBe(200);
    expect(await ready(fleet.one)).toMatchObject({ status: 'degraded', details: { database: { status: 'degraded' } } });
    await fleet.postgres.restart();
    await eventually(async () => (await book(fleet.one, { carId, ...days })).status === 201, { within: 5_000 });
    // Each instance finds out by itself that the database is back.
    await eventually(async () => expect(await bookingsOf(fleet.other, carId)).toHaveLength(1), { within: 5_000 });
  }, 60_000);

  it('Postgres frozen: 503 with Retry-After within 3 s for all who ask, also for one car; booked once when it is back', async () => {
    const carId = nextCar();
    expect((await fleet.one.fetch(`/bookings?carId=${carId}`)).status).toBe(200); // over a connection that is there
    fleet.postgres.freeze();
    const asked = Array.from({ length: 20 }, (_, i) =>
      timed(fleet.services[i % 2]!, `car-${i < 10 ? used : 1 + (i % 12)}`),
    );
    expectUnavailable(await Promise.all(asked), 3_000);
    expectUnavailable([await timed(fleet.one, carId)], 500);
    fleet.postgres.thaw();
    await eventually(async () => (await book(fleet.one, { carId, ...days })).status !== 503, { within: 5_000 });
    expect(await bookingsOf(fleet.one, carId)).toHaveLength(1);
  }, 60_000);

  it('both gone: 503 with Retry-After', async () => {
    await Promise.all([fleet.server.kill(), fleet.postgres.kill()]);
    const asked = Array.from({ length: 10 }, (_, i) => timed(fleet.services[i % 2]!, 'car-12'));
    expectUnavailable(await Promise.all(asked), 3_000);
    expect((await fleet.one.fetch('/api/quotes?carId=car-1')).status).toBe(200);
    expect((await fleet.one.fetch('/livez')).status).toBe(200);
  }, 60_000);

  it('is stopped in time while Postgres hangs', async () => {
    const service = fleet.services.pop()!;
    await book(service, { carId: 'car-12', ...days });
    fleet.postgres.freeze();
    const start = performance.now();
    const asked = timed(service, 'car-12');
    await new Promise((resolve) => setTimeout(resolve, 50)); // it has arrived
    service.signal('SIGTERM');
    expectUnavailable([await asked], 3_000);
    expect((await service.exited).code).toBe(0);
    expect(performance.now() - start).toBeLessThan(5_000);
  }, 30_000);
});
