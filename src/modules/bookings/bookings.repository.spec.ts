import { PostgresServer } from '@roost/testing';
import { randomUUID } from 'node:crypto';
import { Database } from '../../common/database/index.js';
import { BookingTakenError } from './bookings.errors.js';
import { BookingsRepository } from './bookings.repository.js';
import { bookings, bookingsMigrations } from './bookings.table.js';

describe.each(['pglite', 'postgres'])('bookings on %s', (name) => {
  let server: PostgresServer | undefined;
  let database: Database;
  let repository: BookingsRepository;

  beforeAll(async () => {
    server = name === 'postgres' ? await PostgresServer.start() : undefined;
    database = new Database(
      { NODE_ENV: 'test', DATABASE_URL: server?.url, ROOST_DATA_DIR: undefined },
      bookingsMigrations,
    );
    await database.open();
    repository = new BookingsRepository(database);
  }, 60_000);
  afterAll(async () => {
    await database.close();
    await server?.stop();
  });

  const book = async (carId: string, from: string, to: string) => {
    const id = randomUUID();
    await database.db.transaction((tx) => repository.add(tx, { id, carId, from, to }));
    return id;
  };

  it('keeps a booking', async () => {
    const id = await book('car-1', '2026-06-01', '2026-06-05');
    expect(await repository.find(id)).toEqual({ id, carId: 'car-1', from: '2026-06-01', to: '2026-06-05' });
    expect(await repository.find(randomUUID())).toBeUndefined();
  });

  it.each([
    ['the same days', '2026-06-10', '2026-06-15'],
    ['an overlap at the end', '2026-06-14', '2026-06-20'],
    ['an overlap at the beginning', '2026-06-05', '2026-06-11'],
    ['days within', '2026-06-12', '2026-06-13'],
    ['days around', '2026-06-01', '2026-06-30'],
  ])('refuses %s, by itself and by the database alone', async (_, from, to) => {
    const carId = randomUUID();
    await book(carId, '2026-06-10', '2026-06-15');
    await expect(book(carId, from, to)).rejects.toThrow(BookingTakenError);
    const blind = database.db.insert(bookings).values({ id: randomUUID(), carId, from, to });
    await expect(blind).rejects.toMatchObject({ cause: { code: '23P01' } });
  });

  it('takes days that touch, and the same days of another car', async () => {
    const carId = randomUUID();
    await book(carId, '2026-06-10', '2026-06-15');
    await book(carId, '2026-06-15', '2026-06-16');
    await book(carId, '2026-06-05', '2026-06-10');
    await book(`${carId}-2`, '2026-06-10', '2026-06-15');
    expect((await repository.ofCar(carId)).map(({ from }) => from)).toEqual(['2026-06-05', '2026-06-10', '2026-06-15']);
  });

  it('lets one of many that book at once without any lock win', async () => {
    const carId = randomUUID();
    const tries = Array.from({ length: 30 }, (_, i) =>
      book(carId, `2026-07-${String((i % 5) + 1).padStart(2, '0')}`, '2026-07-10'),
    );
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons.filter((reason) => !(reason instanceof BookingTakenError))).toEqual([]);
    expect(await repository.ofCar(carId)).toHaveLength(1);
  });
});
