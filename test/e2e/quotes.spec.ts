import { startService, type Service } from './service.js';

describe('quotes', () => {
  let service: Service;

  beforeEach(async () => void (service = await startService()));
  afterEach(() => service.app.close());

  const quote = (headers: Record<string, string> = {}, remoteAddress = '10.0.0.1', query = '?carId=car-1') =>
    service.app.inject({ url: `/api/quotes${query}`, headers, remoteAddress });

  /** How many of `count` requests pass, and the statuses of the rest. */
  async function passing(count: number, headers?: Record<string, string>, address?: string): Promise<number> {
    const statuses = await Promise.all(
      Array.from({ length: count }, async () => (await quote(headers, address)).statusCode),
    );
    expect(new Set(statuses)).toEqual(new Set(statuses.includes(429) ? [200, 429] : [200]));
    return statuses.filter((status) => status === 200).length;
  }

  it('answers with the price of a car', async () => {
    const answer = await quote();
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        data: { carId: 'car-1', city: 'Lisbon', pricePerDay: 39, currency: 'EUR', validUntil: expect.any(String) },
      },
    ]);
    expect(answer.headers['ratelimit-policy']).toBe('"quotes";q=100;w=3600');
  });

  it('answers 404 for an unknown car and 422 for none or several', async () => {
    const unknown = await quote({}, '10.0.0.1', '?carId=car-99');
    expect([unknown.statusCode, unknown.json().errorCode]).toEqual([404, 'quotes.car-unknown']);
    for (const query of ['', '?carId=', '?carId=car-1&carId=car-2']) {
      const answer = await quote({}, '10.0.0.1', query);
      expect([answer.statusCode, answer.json().issues[0].path]).toEqual([422, 'carId']);
    }
  });

  it('lets a free key pass 100 times an hour, and each key for itself', async () => {
    expect(await passing(101, { 'x-api-key': 'free-1' })).toBe(100);
    const answer = await quote({ 'x-api-key': 'free-1' });
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '36']);
    expect(await passing(1, { 'x-api-key': 'free-2' })).toBe(1);
  });

  it('counts who has no key as free, by address', async () => {
    expect(await passing(101)).toBe(100);
    expect(await passing(1, {}, '10.0.0.2')).toBe(1);
  });

  it('counts a key of no known tier as free', async () => {
    expect(await passing(101, { 'x-api-key': 'gold-1' })).toBe(100);
  });

  it('lets a starter key pass 1000 times', async () => {
    expect(await passing(1_001, { 'x-api-key': 'starter-1' })).toBe(1_000);
  });

  it('tells a pro key of its 10000', async () => {
    expect((await quote({ 'x-api-key': 'pro-1' })).headers['ratelimit-policy']).toBe('"quotes";q=10000;w=3600');
  });

  it('never throttles an enterprise key', async () => {
    expect(await passing(1_500, { 'x-api-key': 'enterprise-1' })).toBe(1_500);
    expect((await quote({ 'x-api-key': 'enterprise-1' })).headers.ratelimit).toBeUndefined();
  });
});
