import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { CARS } from '../catalogue/index.js';
import { CarUnknownError } from './quotes.errors.js';
import type { Quote } from './quotes.schemas.js';

const VALID_MS = 15 * 60_000;

/** What a car costs. */
@Injectable()
export class QuotesService {
  constructor(private readonly clock: Clock) {}

  /** @throws CarUnknownError */
  quote(carId: string): Quote {
    const car = CARS.find(({ id }) => id === carId);
    if (!car) throw new CarUnknownError();
    const validUntil = new Date(this.clock.now() + VALID_MS).toISOString();
    return { carId, city: car.city, pricePerDay: car.pricePerDay, currency: 'EUR', validUntil };
  }
}
