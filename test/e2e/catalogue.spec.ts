import { eventually, type ServiceProcess } from '@roost/testing';
import { Fleet } from '../chaos/fleet.js';

const ADMIN = { 'x-admin-token': 'chaos-admin-token' };
const ORIGIN_MS = 300;

interface Car {
  readonly id: string;
  readonly city: string;
  readonly pricePerDay: number;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly ms: number;
  readonly body: {
    readonly data: never;
    readonly metadata: { readonly cached: boolean; readonly timestamp: string };
    readonly [field: string]: unknown;
  };
}

async function send(service: ServiceProcess, path: string, init: RequestInit = {}): Promise<Answer> {
  const start = performance.now();
  const response = await service.fetch(path, init);
  const body = (await response.json()) as Answer['body'];
  return { status: response.status, headers: response.headers, ms: performance.now() - start, body };
}

const json = (method: string, body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

describe('the catalogue, on two processes that share Redis and Postgres', () => {
  let fleet: Fleet;

  beforeAll(async () => void (fleet = await Fleet.start({ postgres: {} })), 60_000);
  beforeEach(async () => void (await send(fleet.one, '/admin/cache?tag=cars', { method: 'DELETE', headers: ADMIN })));
  afterAll(() => fleet.stop());

  const setPrice = (service: ServiceProcess, id: string, pricePerDay: unknown, headers = ADMIN) =>
    send(service, `/catalogue/cars/${id}`, json('PATCH', { pricePerDay }, headers));
  const query = (service: ServiceProcess, text: string, variables = {}) =>
    send(service, '/graphql', json('POST', { query: text, variables }));

  it('364, 365: answers a miss and then a hit, and says so', async () => {
    const before = Date.now();
    const miss = await send(fleet.one, '/catalogue/cars?city=Lisbon');
    expect([miss.status, miss.body.metadata.cached]).toEqual([200, false]);
    expect(miss.headers.get('cache-status')).toBe('roost; fwd=miss; stored');
    expect(miss.headers.get('age')).toBe('0');
    expect(miss.ms).toBeGreaterThan(ORIGIN_MS - 20);
    expect((miss.body.data as Car[]).map(({ id }) => id)).toEqual(['car-1', 'car-2', 'car-3', 'car-4']);
    const loadedAt = Date.parse(miss.body.metadata.timestamp);
    expect(Math.abs(loadedAt - before)).toBeLessThan(5_000);

    for (const service of fleet.services) {
      const hit = await send(service, '/catalogue/cars?city=Lisbon');
      expect(hit.body).toEqual({ data: miss.body.data, metadata: { ...miss.body.metadata, cached: true } });
      expect(hit.headers.get('cache-status')).toMatch(/^roost; hit; ttl=(29\d|3\d\d)$/);
      expect(Number(hit.headers.get('age'))).toBeLessThan(5);
      expect(hit.ms).toBeLessThan(ORIGIN_MS - 20);
    }
  });

  it('has all cars, those of a city and each by itself, and remembers that there is none', async () => {
    expect((await send(fleet.one, '/catalogue/cars')).body.data).toHaveLength(12);
    expect((await send(fleet.one, '/catalogue/cars?city=Rome')).body.data).toEqual([]);
    const car = await send(fleet.one, '/catalogue/cars/car-9');
    expect(car.body).toEqual({
      data: { id: 'car-9', city: 'Oslo', pricePerDay: 58 },
      metadata: { cached: false, timestamp: expect.any(String) },
    });
    for (const status of ['roost; fwd=miss; stored', expect.stringMatching(/^roost; hit; ttl=(2\d|3\d)$/)]) {
      const none = await send(fleet.one, '/catalogue/cars/car-13');
      expect([none.status, none.body['errorCode']]).toEqual([404, 'catalogue.car-unknown']);
      expect(none.headers.get('cache-status')).toEqual(status);
    }
  });

  it.each(['/catalogue/cars/%00', '/catalogue/cars/CAR-1', `/catalogue/cars/${'x'.repeat(65)}`])(
    'answers 404 to %s without asking anybody',
    async (path) => {
      const answer = await send(fleet.one, path);
      expect([answer.status, answer.body['errorCode']]).toEqual([404, 'catalogue.car-unknown']);
      expect(answer.headers.get('cache-status')).toBeNull();
    },
  );

  it.each(['?city=', '?city=%00', '?city=Lisbon&city=Oslo', `?city=${'x'.repeat(65)}`, '?city=*'])(
    'answers 422 to %s',
    async (text) => {
      const answer = await send(fleet.one, `/catalogue/cars${text}`);
      expect([answer.status, answer.body['errorCode']]).toEqual([422, 'request.invalid']);
    },
  );

  it('changes a price with the token alone, and to sane ones alone', async () => {
    expect((await setPrice(fleet.one, 'car-2', 46, {} as never)).status).toBe(401);
    for (const price of [0, -1, 45.5, '46', null, 10_001]) {
      const answer = await setPrice(fleet.one, 'car-2', price);
      expect([answer.status, answer.body['errorCode']]).toEqual([422, 'request.invalid']);
    }
    expect((await setPrice(fleet.one, 'car-13', 46)).status).toBe(404);
    expect((await send(fleet.one, '/catalogue/cars/car-2')).body.data).toMatchObject({ pricePerDay: 45 });
  });

  it('when a change was answered, no process serves the old price, by whichever route', async () => {
    const paths = ['/catalogue/cars/car-5', '/catalogue/cars?city=Vienna', '/catalogue/cars'];
    const pricesOf = async (service: ServiceProcess) => {
      const answers = await Promise.all(paths.map((path) => send(service, path)));
      const { body: graphql } = await query(
        service,
        '{ cars { id pricePerDay } vienna: cars(city: "Vienna") { id pricePerDay } }',
      );
      const lists = Object.values(graphql.data as Record<string, Car[]>);
      const found = [...answers.map(({ body }) => body.data as Car | Car[]), ...lists].flat();
      return found.filter(({ id }) => id === 'car-5').map(({ pricePerDay }) => pricePerDay);
    };
    for (let price = 50; price < 54; price++) {
      for (const service of fleet.services) await pricesOf(service); // cached by both
      const by = fleet.services[price % 2]!;
      expect((await setPrice(by, 'car-5', price)).body).toEqual({
        data: { id: 'car-5', city: 'Vienna', pricePerDay: price },
      });
      for (const service of fleet.services) expect(await pricesOf(service)).toEqual(Array(5).fill(price));
    }
    // What the change did not concern is still there.
    await send(fleet.other, '/catalogue/cars/car-6');
    await setPrice(fleet.one, 'car-5', 42);
    expect((await send(fleet.other, '/catalogue/cars/car-6')).body.metadata.cached).toBe(true);
  }, 30_000);

  it('174: GraphQL has the same cars, kept by the operation and its variables', async () => {
    const text = 'query Cars($city: String) { cars(city: $city) { id pricePerDay } }';
    const first = await query(fleet.one, text, { city: 'Oslo' });
    expect([first.status, first.body.data]).toEqual([
      200,
      {
        cars: [
          { id: 'car-9', pricePerDay: 58 },
          { id: 'car-10', pricePerDay: 66 },
          { id: 'car-11', pricePerDay: 79 },
          { id: 'car-12', pricePerDay: 135 },
        ],
      },
    ]);
    expect(first.ms).toBeGreaterThan(ORIGIN_MS - 20);
    const again = await query(fleet.other, text, { city: 'Oslo' });
    expect(again.body).toEqual(first.body);
    expect(again.ms).toBeLessThan(ORIGIN_MS - 20);
    expect((await query(fleet.one, '{ cars { id } }')).body.data).toMatchObject({ cars: { length: 12 } });
    const line = await fleet.one.waitForLog(({ path }) => path === '/graphql');
    expect(line).toMatchObject({ method: 'POST', status: 200, message: 'request' });
  });

  it.each([
    ['a city that cannot be', '{ cars(city: "*") { id } }', 200, 'The request does not fit'],
    ['an unknown field', '{ cars { secret } }', 400, 'Cannot query field'],
    ['no query', '{ cars {', 400, 'Syntax Error'],
    ['something else', 5, 400, 'cannot be read'],
    [
      'too many answers at once',
      `{ ${Array.from({ length: 60 }, (_, i) => `c${i}: cars { id }`).join(' ')} }`,
      400,
      'more than 100 fields',
    ],
    ['a deep query', `{ __type(name: "Car") ${'{ ofType '.repeat(20)} { name } ${'}'.repeat(21)}`, 400, 'depth'],
  ])('GraphQL answers %s with its own errors', async (_, text, status, message) => {
    const answer = await query(fleet.one, text as string);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      data: null,
      errors: expect.arrayContaining([expect.objectContaining({ message: expect.stringContaining(message) })]),
    });
  });

  it('has no pages for trying queries out in production', async () => {
    expect((await send(fleet.one, '/graphiql')).status).toBe(404);
  });

  it('377: operators make every process forget what has a tag', async () => {
    for (const service of fleet.services) await send(service, '/catalogue/cars?city=Oslo');
    expect((await send(fleet.other, '/catalogue/cars?city=Oslo')).body.metadata.cached).toBe(true);
    const answer = await send(fleet.one, '/admin/cache?tag=city:Oslo', { method: 'DELETE', headers: ADMIN });
    expect([answer.status, answer.body]).toEqual([200, { invalidated: 'city:Oslo' }]);
    expect((await send(fleet.other, '/catalogue/cars?city=Oslo')).body.metadata.cached).toBe(false);
    expect((await send(fleet.one, '/admin/cache', { method: 'DELETE', headers: ADMIN })).status).toBe(422);
    expect((await send(fleet.one, '/admin/cache?tag=', { method: 'DELETE', headers: ADMIN })).status).toBe(422);
    expect((await send(fleet.one, '/admin/cache?tag=cars', { method: 'DELETE' })).status).toBe(401);
  });

  it('393: operators see what the cache does', async () => {
    const { cache } = (await send(fleet.one, '/admin/state', { headers: ADMIN })).body as unknown as {
      cache: Record<string, unknown>;
    };
    expect(cache).toMatchObject({
      cache_hit_rate: expect.stringMatching(/^\d+(\.\d+)?%$/),
      avg_cache_response_ms: expect.any(Number),
      avg_uncached_response_ms: expect.any(Number),
      daily_api_calls_saved: expect.any(Number),
      estimated_cost_savings: null,
    });
  });

  it('is warm a moment after it has started, which its readiness did not wait for', async () => {
    const service = await fleet.add({ CATALOGUE_WARM_UP: 'true' });
    await service.waitForLog(({ event }) => event === 'cache.warm');
    for (const city of ['Lisbon', 'Vienna', 'Oslo']) {
      expect((await send(service, `/catalogue/cars?city=${city}`)).body.metadata.cached).toBe(true);
    }
    await service.stop();
    fleet.services.pop();
  });

  it('serves what it knows while Postgres is away, and 503 for what it does not', async () => {
    await send(fleet.one, '/catalogue/cars/car-3');
    await fleet.postgres.kill();
    expect((await send(fleet.one, '/catalogue/cars/car-3')).body.metadata.cached).toBe(true);
    expect((await send(fleet.one, '/catalogue/cars/car-4')).status).toBe(503);
    const answer = await query(fleet.one, '{ cars { id } }');
    expect(answer.body).toMatchObject({ data: null, errors: [{ extensions: { code: 'database.unavailable' } }] });
    expect(JSON.stringify(answer.body)).not.toContain('ECONN');
    await fleet.postgres.restart();
    await eventually(async () => (await send(fleet.one, '/catalogue/cars/car-4')).status === 200, { within: 5_000 });
  }, 30_000);
});
