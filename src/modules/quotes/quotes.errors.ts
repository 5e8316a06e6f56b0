import { RoostError } from '@roost/redis';

/** Thrown when no car has the id. HTTP 404. */
export class CarUnknownError extends RoostError {
  static override readonly code: string = 'quotes.car-unknown';
  override readonly httpStatus: number = 404;

  constructor() {
    super('There is no such car. The fleet is car-1 to car-12.');
  }
}
