import { Clock } from '../../common/clock.js';
import { CARS } from '../catalogue/index.js';
import { QuotesService } from './quotes.service.js';

class StoppedClock extends Clock {
  override now(): number {
    return Date.UTC(2026, 5, 1, 12);
  }
}

describe('QuotesService', () => {
  const quotes = new QuotesService(new StoppedClock());

  it('quotes a price that holds for a quarter of an hour', () => {
    expect(quotes.quote('car-9')).toEqual({
      carId: 'car-9',
      city: 'Oslo',
      pricePerDay: 58,
      currency: 'EUR',
      validUntil: '2026-06-01T12:15:00.000Z',
    });
  });

  it.each(['car-0', 'car-13', 'CAR-1', '__proto__'])('knows no %s', (carId) => {
    expect(() => quotes.quote(carId)).toThrow('no such car');
  });

  it('has the cars car-1 to car-12 in three cities', () => {
    expect(CARS.map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, i) => `car-${i + 1}`));
    expect(new Set(CARS.map(({ city }) => city)).size).toBe(3);
  });
});
