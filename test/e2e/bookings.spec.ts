import { startService, type Service } from './service.js';

const uuid = expect.stringMatching(/^[\da-f-]{36}$/);
const days = { from: '2026-06-10', to: '2026-06-15' };

describe('bookings', () => {
  let service: Service;

  beforeAll(async () => {
    service = await startService();
    await service.app.inject({ url: '/bookings?carId=car-1' }); // the database in memory is opened by the first who needs it
  }, 60_000);
  afterAll(() => service.app.close());

  const book = (payload: object | string) =>
    service.app.inject({ method: 'POST', url: '/bookings', payload, headers: { 'content-type': 'application/json' } });
  const get = (url: string) => service.app.inject({ url });

  it('books a car, and finds the booking again', async () => {
    const made = await book({ carId: 'car-1', ...days });
    expect([made.statusCode, made.json()]).toEqual([201, { id: uuid, jobId: uuid }]);
    const { id } = made.json();
    const found = await get(`/bookings/${id}`);
    expect([found.statusCode, found.json()]).toEqual([200, { data: { id, carId: 'car-1', ...days } }]);
    expect((await get('/bookings?carId=car-1')).json()).toEqual({ data: [{ id, carId: 'car-1', ...days }] });
  });

  it.each([
    ['the same days', days],
    ['days that overlap at the beginning', { from: '2026-06-08', to: '2026-06-11' }],
    ['days that overlap at the end', { from: '2026-06-14', to: '2026-06-20' }],
    ['days around', { from: '2026-06-01', to: '2026-06-30' }],
  ])('answers 409 to %s of the same car', async (_, range) => {
    await book({ carId: 'car-2', ...days });
    const answer = await book({ carId: 'car-2', ...range });
    expect([answer.statusCode, answer.json()]).toEqual([
      409,
      {
        type: 'urn:roost:error:booking.already-taken',
        title: 'Conflict',
        status: 409,
        detail: expect.any(String),
        errorCode: 'booking.already-taken',
      },
    ]);
    expect(answer.headers['retry-after']).toBeUndefined(); // asking again does not help
  });

  it('takes a car from the day on which it is back, and lists bookings in the order of their days', async () => {
    for (const [from, to] of [
      ['2026-06-15', '2026-06-20'],
      ['2026-06-10', '2026-06-15'],
      ['2026-06-09', '2026-06-10'],
    ]) {
      expect((await book({ carId: 'car-3', from, to })).statusCode).toBe(201);
    }
    const { data } = (await get('/bookings?carId=car-3')).json() as { data: { from: string }[] };
    expect(data.map(({ from }) => from)).toEqual(['2026-06-09', '2026-06-10', '2026-06-15']);
  });

  it('lets one of a hundred win who want overlapping days at once, and cars do not wait for each other', async () => {
    const wanted = Array.from({ length: 100 }, (_, i) => ({
      carId: `car-${4 + (i % 2)}`,
      from: `2026-07-${String(1 + (i % 10)).padStart(2, '0')}`,
      to: '2026-07-20',
    }));
    const answers = await Promise.all(wanted.map(book));
    const statuses = answers.map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 201)).toHaveLength(2);
    expect(statuses.filter((status) => status === 409)).toHaveLength(98);
    expect((await get('/bookings?carId=car-4')).json().data).toHaveLength(1);
    expect((await get('/bookings?carId=car-5')).json().data).toHaveLength(1);
  }, 30_000);

  it.each([
    ['no such day', { carId: 'car-6', from: '2026-02-30', to: '2026-03-02' }, 'from'],
    ['days the wrong way round', { carId: 'car-6', from: '2026-06-05', to: '2026-06-01' }, 'to'],
    ['no day', { carId: 'car-6', from: '2026-06-05', to: '2026-06-05' }, 'to'],
    ['no car', { ...days }, 'carId'],
    ['a car that is not', { carId: 'car-13', ...days }, 'carId'],
    ['a list', [], ''],
  ])('answers 422 to %s', async (_, payload, path) => {
    const answer = await book(payload);
    expect([answer.statusCode, answer.json().errorCode]).toEqual([422, 'request.invalid']);
    expect(answer.json().issues[0].path).toBe(path);
  });

  it.each(['/bookings/00000000-0000-4000-8000-000000000000', '/bookings/7', "/bookings/'%20OR%201=1", '/bookings/%00'])(
    'answers 404 to %s',
    async (url) => {
      const answer = await get(url);
      expect([answer.statusCode, answer.json().errorCode]).toEqual([404, 'booking.unknown']);
    },
  );

  it('answers 404 and 422 where it is asked for the bookings of no car', async () => {
    expect((await get('/bookings?carId=car-13')).json().errorCode).toBe('quotes.car-unknown');
    expect((await get('/bookings')).statusCode).toBe(422);
    expect((await get('/bookings?carId=car-1&carId=car-2')).statusCode).toBe(422);
  });

  it('tells of its database in /readyz, and describes its routes', async () => {
    expect((await get('/readyz')).json().details.database).toMatchObject({ status: 'up', backend: 'pglite' });
    const { paths } = (await get('/docs/openapi.json')).json();
    expect(Object.keys(paths['/bookings'].post.responses)).toEqual(
      expect.arrayContaining(['201', '409', '422', '503']),
    );
  });
});
